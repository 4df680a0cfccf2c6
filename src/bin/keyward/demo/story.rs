//! The story that the demo tells, act by act.

use keyward::{KeysManagement, RotationId};

use crate::demo::calls;
use crate::demo::chance::{moment, original};
use crate::demo::documents::{Documents, tool};
use crate::demo::error::DemoError;
use crate::demo::examination::{check_all, tally};
use crate::demo::journal_view::{SeenRotation, as_found};
use crate::demo::keys::{MASTER, SHARED, put_in_use, start_keyring, write_files};
use crate::demo::layout::{Layout, worker_names};
use crate::demo::options::DemoOptions;
use crate::demo::page::Page;
use crate::demo::protocol::{Hold, ServerCommand, ServerEvent};
use crate::demo::server_process::ServerProcess;
use crate::demo::summary::{Evidence, Tally};

/// A story, and where it takes place.
pub struct Story<'a> {
    layout: &'a Layout,
    options: &'a DemoOptions,
    seed: u64,
    hold: Hold,
    workers: Vec<String>,
    page: &'a mut Page,
}

impl<'a> Story<'a> {
    /// The story that this seed makes.
    pub fn new(
        layout: &'a Layout,
        options: &'a DemoOptions,
        seed: u64,
        page: &'a mut Page,
    ) -> Self {
        Self {
            layout,
            options,
            seed,
            hold: moment(seed, options.workers, options.documents),
            workers: worker_names(options.workers),
            page,
        }
    }

    /// Lets it happen, and answers what was seen.
    ///
    /// # Errors
    /// What kept it from going on.
    pub async fn tell(mut self) -> Result<Evidence, DemoError> {
        let keyring = self.encrypt_documents().await?;
        self.page.show_bars(&self.workers, self.options.documents);
        let rotation = self.first_life().await?;
        let middle = self.look_at_interrupted(&keyring).await?;
        let found = self.look_at_journal(&keyring).await?;
        keyring.shutdown().await?;
        self.second_life(rotation).await?;
        self.page
            .line("8. Every document is opened with the key in use and compared.")?;
        let (ended, checked) = check_all(self.layout, self.options, self.seed, rotation).await?;
        Ok(Evidence {
            rotation,
            documents: self.options.documents,
            interrupted: self.hold.worker,
            found,
            middle,
            ended,
            calls: calls::read(&self.layout.calls())?,
            checked,
            workers: self.workers,
        })
    }

    async fn encrypt_documents(&mut self) -> Result<KeysManagement, DemoError> {
        write_files(self.layout)?;
        let keyring = start_keyring(self.layout).await?;
        for (no, name) in (1..).zip(&self.workers) {
            let worker = keyring.join(name).await?;
            let tool = tool(&worker.get_forward_path_key(SHARED).await?.value)?;
            let documents = Documents::of(self.layout, name, self.options.documents);
            documents.create_folder()?;
            for document in documents.numbers() {
                documents.create(document, &tool, &original(self.seed, no, document))?;
            }
            tokio::task::yield_now().await;
        }
        self.page.line(format_args!(
            "1. Each of {} workers encrypted its {} documents under the shared key.",
            self.options.workers, self.options.documents
        ))?;
        Ok(keyring)
    }

    /// From the start of the server to its kill.
    async fn first_life(&mut self) -> Result<RotationId, DemoError> {
        let mut server = ServerProcess::start(self.layout, self.options, Some(&self.hold))?;
        self.page.line(format_args!(
            "2. A server is started, process {}.",
            server.pid()
        ))?;
        let mut accepted = None;
        loop {
            match server.next().await? {
                ServerEvent::Ready => server.ask(ServerCommand::Declare)?,
                ServerEvent::Accepted(id) => {
                    accepted = Some(id);
                    let change = "3. The change is declared; worker after worker re-encrypts.";
                    self.page.line(change)?;
                    self.page.line(format_args!("   Rotation {id}"))?;
                    server.ask(ServerCommand::Wait(id))?;
                }
                ServerEvent::Holding { worker, done } if worker == self.hold.worker => {
                    server.kill()?;
                    self.tell_of_kill(&worker, done)?;
                    break;
                }
                ServerEvent::Settled { state, .. } => {
                    return Err(DemoError::Server {
                        what: format!("came to the rotation's end, {state}, before it was killed"),
                    });
                }
                event @ (ServerEvent::Begun { .. }
                | ServerEvent::Documents { .. }
                | ServerEvent::Holding { .. }
                | ServerEvent::Ended { .. }
                | ServerEvent::Stopped) => self.show(&event)?,
            }
        }
        accepted.ok_or_else(|| DemoError::Server {
            what: "ended without accepting the change".to_owned(),
        })
    }

    fn tell_of_kill(&self, worker: &str, done: u32) -> Result<(), DemoError> {
        self.page.worker(worker, "interrupted")?;
        self.page.line(format_args!(
            "4. The server was killed (SIGKILL) in the middle of {worker}'s callback,"
        ))?;
        let of = self.options.documents;
        self.page
            .line(format_args!("   after {done} of {of} documents."))
    }

    async fn look_at_interrupted(&self, keyring: &KeysManagement) -> Result<Tally, DemoError> {
        let documents = Documents::of(self.layout, &self.hold.worker, self.options.documents);
        let seen = tally(keyring, &documents).await?;
        self.page.line(format_args!(
            "   Its documents on disk: {} under the new key, {} under the old one, {} lost.",
            seen.new, seen.old, seen.lost
        ))?;
        Ok(seen)
    }

    async fn look_at_journal(
        &self,
        keyring: &KeysManagement,
    ) -> Result<Vec<SeenRotation>, DemoError> {
        let found = as_found(self.layout, &keyring.get_key(MASTER).await?.value)?;
        self.page.line("5. The journal as found on disk:")?;
        for rotation in &found {
            self.page.line(format_args!(
                "   rotation {}, {}",
                rotation.id, rotation.state
            ))?;
            self.page
                .line("   worker     callback   status      attempt")?;
            for step in &rotation.steps {
                let status = step.status.to_string();
                self.page.line(format_args!(
                    "   {:<10} {:<10} {status:<11} {}",
                    step.worker, step.callback, step.attempt
                ))?;
            }
        }
        Ok(found)
    }

    /// From the restart of the server to its shutdown.
    async fn second_life(&mut self, rotation: RotationId) -> Result<(), DemoError> {
        let mut server = ServerProcess::start(self.layout, self.options, None)?;
        self.page.line(format_args!(
            "6. The server is started again, process {}; the rotation goes on by itself.",
            server.pid()
        ))?;
        loop {
            match server.next().await? {
                ServerEvent::Ready => server.ask(ServerCommand::Wait(rotation))?,
                ServerEvent::Settled { id, state } => {
                    self.page.end_bars();
                    self.page
                        .line(format_args!("   Rotation {id} is {state}."))?;
                    break;
                }
                event @ (ServerEvent::Accepted(_)
                | ServerEvent::Begun { .. }
                | ServerEvent::Documents { .. }
                | ServerEvent::Holding { .. }
                | ServerEvent::Ended { .. }
                | ServerEvent::Stopped) => self.show(&event)?,
            }
        }
        put_in_use(self.layout, &self.layout.new_key())?;
        self.page
            .line("7. The key file is switched: the new key is in use. The server stops.")?;
        server.stop().await
    }

    fn show(&self, event: &ServerEvent) -> Result<(), DemoError> {
        match event {
            ServerEvent::Begun { worker, attempt } => {
                self.page.progress(worker, 0);
                self.page.worker(worker, &format!("attempt {attempt}"))
            }
            ServerEvent::Documents { worker, done } | ServerEvent::Holding { worker, done } => {
                self.page.progress(worker, *done);
                Ok(())
            }
            ServerEvent::Ended { worker, skipped } => {
                let done = self.options.documents.saturating_sub(*skipped);
                let already = match skipped {
                    0 => String::new(),
                    skipped => format!(", {skipped} already"),
                };
                self.page
                    .worker(worker, &format!("{done} re-encrypted{already}"))
            }
            ServerEvent::Ready
            | ServerEvent::Accepted(_)
            | ServerEvent::Settled { .. }
            | ServerEvent::Stopped => Ok(()),
        }
    }
}

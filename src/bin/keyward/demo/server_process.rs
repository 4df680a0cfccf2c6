//! The demo's side of its server: starting it, talking to it, killing it.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use tokio::sync::mpsc;

use crate::demo::error::DemoError;
use crate::demo::layout::Layout;
use crate::demo::options::DemoOptions;
use crate::demo::protocol::{Hold, ServerCommand, ServerEvent};

/// How long the server may say nothing.
const SILENCE: Duration = Duration::from_secs(60);

/// The signal that no process can catch.
const SIGKILL: i32 = 9;

/// A server that runs. Dropping it kills it.
pub struct ServerProcess {
    child: Child,
    commands: ChildStdin,
    lines: mpsc::UnboundedReceiver<String>,
}

impl ServerProcess {
    /// Starts a server as a process of its own.
    ///
    /// The kernel ties its life to the thread that starts it, so this belongs on the main thread.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn start(
        layout: &Layout,
        options: &DemoOptions,
        hold: Option<&Hold>,
    ) -> Result<Self, DemoError> {
        let failed = || DemoError::process("starting the server");
        let program = std::env::current_exe().map_err(failed())?;
        let mut command = Command::new(program);
        command
            .arg("demo-server")
            .args(["--workers", &options.workers.to_string()])
            .args(["--documents", &options.documents.to_string()])
            .args(["--parent", &std::process::id().to_string()])
            .arg("--folder")
            .arg(layout.root())
            // Ctrl-C on a terminal is for the demo, which then ends the server.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        if let Some(hold) = hold {
            command.args(["--hold", &hold.to_string()]);
        }
        let mut child = command.spawn().map_err(failed())?;
        let (Some(commands), Some(out)) = (child.stdin.take(), child.stdout.take()) else {
            drop(child.kill());
            return Err(server("has no standard input or output"));
        };
        let lines = read_lines(out).map_err(|refused| {
            drop(child.kill());
            DemoError::process("starting a thread")(refused)
        })?;
        Ok(Self {
            child,
            commands,
            lines,
        })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks something of the server.
    ///
    /// # Errors
    /// The server is gone.
    pub fn ask(&mut self, command: ServerCommand) -> Result<(), DemoError> {
        writeln!(self.commands, "{command}").map_err(DemoError::process("asking the server"))
    }

    /// What the server tells next.
    ///
    /// # Errors
    /// The server has ended, says nothing for a minute, or says what cannot be read.
    pub async fn next(&mut self) -> Result<ServerEvent, DemoError> {
        let line = tokio::time::timeout(SILENCE, self.lines.recv()).await;
        let Ok(line) = line else {
            return Err(server("said nothing for a minute"));
        };
        let Some(line) = line else {
            return Err(server("ended before it was asked to"));
        };
        line.parse().map_err(|_| server("said what cannot be read"))
    }

    /// Kills the server with SIGKILL and waits for its end.
    ///
    /// # Errors
    /// It had ended otherwise before.
    pub fn kill(mut self) -> Result<(), DemoError> {
        let failed = || DemoError::process("killing the server");
        self.child.kill().map_err(failed())?;
        let status = self.child.wait().map_err(failed())?;
        if status.signal() == Some(SIGKILL) {
            return Ok(());
        }
        Err(server(&format!("ended by itself ({status})")))
    }

    /// Shuts the server down and waits for its end.
    ///
    /// # Errors
    /// It did not shut down, or not well.
    pub async fn stop(mut self) -> Result<(), DemoError> {
        self.ask(ServerCommand::Stop)?;
        loop {
            if self.next().await? == ServerEvent::Stopped {
                break;
            }
        }
        // Its output ends with it.
        drop(tokio::time::timeout(SILENCE, self.lines.recv()).await);
        let ended = self.child.try_wait();
        let status = match ended.map_err(DemoError::process("waiting for the server"))? {
            Some(status) => status,
            None => self
                .child
                .wait()
                .map_err(DemoError::process("waiting for the server"))?,
        };
        if status.success() {
            return Ok(());
        }
        Err(server(&format!("did not shut down well ({status})")))
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn read_lines(out: ChildStdout) -> std::io::Result<mpsc::UnboundedReceiver<String>> {
    let (read, lines) = mpsc::unbounded_channel();
    std::thread::Builder::new().spawn(move || {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            if read.send(line).is_err() {
                break;
            }
        }
    })?;
    Ok(lines)
}

fn server(what: &str) -> DemoError {
    DemoError::Server {
        what: what.to_owned(),
    }
}

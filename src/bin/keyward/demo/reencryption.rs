//! The callback of a worker: its documents from the old to the new key.
//!
//! It may be called again after a crash in the middle, so it leaves alone what is under the new key
//! already.

use std::path::PathBuf;

use keyward::{AeadCryptoTool, CryptoTool, Effect, KeyChange};

use crate::demo::calls::{self, Call};
use crate::demo::documents::{Documents, tool};
use crate::demo::error::DemoError;
use crate::demo::protocol::{ServerEvent, tell};

/// What a worker's callback works on.
#[derive(Debug, Clone)]
pub struct Reencryption {
    /// The name of the worker.
    pub worker: String,
    /// Its documents.
    pub documents: Documents,
    /// The list of calls.
    pub calls: PathBuf,
    /// After how many documents it waits for the end of the process.
    pub hold: Option<u32>,
}

impl Reencryption {
    /// Runs the callback.
    ///
    /// # Errors
    /// A document that opens with neither key, and what the operating system says. The documents
    /// that are done stay done, the others are as they were.
    pub fn run(&self, change: &KeyChange) -> Result<Effect, DemoError> {
        let attempt = change.key.attempt();
        let call = Call {
            rotation: change.key.rotation_id(),
            worker: self.worker.clone(),
            attempt,
        };
        calls::add(&self.calls, &call)?;
        tell(&ServerEvent::Begun {
            worker: self.worker.clone(),
            attempt,
        })?;
        let (Some(old), Some(new)) = (&change.old_keys, &change.new_keys) else {
            return Err(DemoError::NoKeys);
        };
        let (old, new) = (tool(old.back())?, tool(new.forward())?);
        let mut skipped = 0;
        for no in self.documents.numbers() {
            if !self.reencrypt(no, &old, &new)? {
                skipped += 1;
            }
            tell(&ServerEvent::Documents {
                worker: self.worker.clone(),
                done: no,
            })?;
        }
        self.documents.sync()?;
        tell(&ServerEvent::Ended {
            worker: self.worker.clone(),
            skipped,
        })?;
        Ok(Effect::Reencrypted)
    }

    /// Answers whether there was anything to do.
    fn reencrypt(
        &self,
        no: u32,
        old: &AeadCryptoTool,
        new: &AeadCryptoTool,
    ) -> Result<bool, DemoError> {
        let name = self.documents.name(no);
        let Some(sealed) = self.documents.read(no)? else {
            return Err(DemoError::Lost { name });
        };
        if new.open(&sealed, name.as_bytes()).is_ok() {
            return Ok(false);
        }
        let Ok(plain) = old.open(&sealed, name.as_bytes()) else {
            return Err(DemoError::Lost { name });
        };
        self.documents.write_next(no, new, &plain)?;
        if self.hold == Some(no.saturating_sub(1)) {
            self.wait_for_the_end(no.saturating_sub(1))?;
        }
        self.documents.switch(no)?;
        Ok(true)
    }

    /// Waits where the demo kills the process, so that the moment does not depend on which process is
    /// faster: the next content of a document is written and not yet in its place.
    fn wait_for_the_end(&self, done: u32) -> Result<(), DemoError> {
        tell(&ServerEvent::Holding {
            worker: self.worker.clone(),
            done,
        })?;
        loop {
            std::thread::park();
        }
    }
}

//! Values on their way out: to a pipe, to a new file or, only where it is asked for, to a terminal.
//!
//! Never in here: where a value comes from.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use data_encoding::BASE64;
use keyward::{SecretKeyPair, SecretKeyValue};
use serde_json::{Map, Value};
use tempfile::Builder;

use crate::command_error::CommandError;
use crate::hardening::complain;
use crate::printing::Printing;

/// Where values go.
#[derive(Debug, Args)]
pub struct Destination {
    /// Write to a new file of mode 0600; one that is there is never overwritten
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Show the value on the terminal
    #[arg(long)]
    show: bool,
}

/// A half of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Half {
    /// What encrypts
    Forward,
    /// What decrypts
    Back,
}

impl Half {
    /// This half of a pair.
    pub fn of(self, pair: &SecretKeyPair) -> SecretKeyValue {
        match self {
            Self::Forward => pair.forward().clone(),
            Self::Back => pair.back().clone(),
        }
    }

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Back => "back",
        }
    }
}

impl Destination {
    /// Refuses, before anything is asked, what no value may be written to.
    ///
    /// # Errors
    /// The file is there, or standard output is a terminal and it was not said to show the value.
    pub fn check(&self) -> Result<(), CommandError> {
        match &self.out {
            Some(out) => refuse_what_is_there(out),
            None if io::stdout().is_terminal() && !self.show => Err(CommandError::Usage(
                "standard output is a terminal, where the value would be seen: give --out FILE, a pipe, or --show"
                    .to_owned(),
            )),
            None => Ok(()),
        }
    }

    /// Writes them; for programs with what they are before them.
    ///
    /// # Errors
    /// They cannot be written, or lines would not tell them apart.
    pub fn write(
        &self,
        printing: &Printing,
        mut about: Map<String, Value>,
        values: &[SecretKeyValue],
    ) -> Result<(), CommandError> {
        match &self.out {
            Some(out) => {
                write_new(out, &joined(values)?)?;
                about.insert("out".to_owned(), out.to_string_lossy().into());
                about.insert("count".to_owned(), values.len().into());
                printing.object(&about.into())
            }
            None if printing.json => secret(&object(&about.into(), values)),
            None if io::stdout().is_terminal() => show(values),
            None => secret(&joined(values)?),
        }
    }
}

/// The values as they are, a line end between them.
fn joined(values: &[SecretKeyValue]) -> Result<SecretKeyValue, CommandError> {
    if let [one] = values {
        return Ok(one.clone());
    }
    if values.iter().any(|value| value.expose().contains(&b'\n')) {
        return Err(CommandError::Usage(format!(
            "there are {} candidates, and one has a line end, so that lines would not tell them apart: take \
             one by --nth, or all by --json",
            values.len()
        )));
    }
    // At full size, so that growth leaves no copy.
    let room = values.iter().map(|value| value.expose().len() + 1).sum();
    let mut lines = Vec::with_capacity(room);
    for value in values {
        if !lines.is_empty() {
            lines.push(b'\n');
        }
        lines.extend_from_slice(value.expose());
    }
    Ok(SecretKeyValue::new(lines))
}

/// For programs: an object, to which the values are added in base64, in a buffer that is wiped.
fn object(about: &Value, values: &[SecretKeyValue]) -> SecretKeyValue {
    let about = about.to_string();
    let head = format!("{},\"values\":[", about.strip_suffix('}').unwrap_or(&about));
    let values: Vec<SecretKeyValue> = values.iter().map(base64).collect();
    let room: usize = values.iter().map(|value| value.expose().len() + 16).sum();
    let mut line = Vec::with_capacity(head.len() + room + 4);
    line.extend_from_slice(head.as_bytes());
    for (no, value) in values.iter().enumerate() {
        let open: &[u8] = if no == 0 {
            b"{\"base64\":\""
        } else {
            b",{\"base64\":\""
        };
        line.extend_from_slice(open);
        line.extend_from_slice(value.expose());
        line.extend_from_slice(b"\"}");
    }
    line.extend_from_slice(b"]}\n");
    SecretKeyValue::new(line)
}

/// For a terminal: text as it is if all of it is seen, else base64.
fn show(values: &[SecretKeyValue]) -> Result<(), CommandError> {
    let is_seen = |c: char| c == ' ' || c.is_ascii_graphic() || c.is_alphanumeric();
    for value in values {
        if value
            .expose_str()
            .is_some_and(|text| text.chars().all(is_seen))
        {
            secret(value)?;
        } else {
            complain(format_args!(
                "the value is no plain text; it is shown in base64"
            ));
            secret(&base64(value))?;
        }
        secret(&SecretKeyValue::from("\n"))?;
    }
    Ok(())
}

fn base64(value: &SecretKeyValue) -> SecretKeyValue {
    let mut encoded = vec![0; BASE64.encode_len(value.expose().len())];
    BASE64.encode_mut(value.expose(), &mut encoded);
    SecretKeyValue::new(encoded)
}

/// Writes to standard output without the buffer of the standard library, which keeps a copy.
fn secret(value: &SecretKeyValue) -> Result<(), CommandError> {
    let out = io::stdout().as_fd().try_clone_to_owned().map(File::from);
    out.and_then(|mut out| out.write_all(value.expose()))
        .map_err(CommandError::process("writing to standard output"))
}

fn refuse_what_is_there(out: &Path) -> Result<(), CommandError> {
    match out.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(CommandError::io("looking for", out)(error)),
        Ok(_) => Err(there_already(out)),
    }
}

fn there_already(out: &Path) -> CommandError {
    let why = io::Error::new(
        io::ErrorKind::AlreadyExists,
        "it is there already and is never overwritten; name a new file",
    );
    CommandError::io("writing", out)(why)
}

/// Makes the file whole or not at all.
fn write_new(out: &Path, value: &SecretKeyValue) -> Result<(), CommandError> {
    let folder = match out.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    };
    let made = || {
        let mut file = Builder::new().prefix(".keyward-").tempfile_in(folder)?;
        file.write_all(value.expose())?;
        file.as_file().sync_all()?;
        Ok(file)
    };
    let file = made().map_err(CommandError::io("writing a file in", folder))?;
    match file.persist_noclobber(out) {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Err(there_already(out)),
        Err(error) => Err(CommandError::io("writing", out)(error.error)),
    }
}

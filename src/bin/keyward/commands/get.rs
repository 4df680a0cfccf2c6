//! `keyward get`: looks at a key, and changes nothing.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use data_encoding::BASE64;
use keyward::SecretKeyValue;
use serde_json::{Value, json};
use tempfile::Builder;

use crate::command_error::CommandError;
use crate::connection::KeeperOptions;
use crate::ended::Ended;
use crate::hardening::complain;
use crate::printing::Printing;

/// Look at a key. Nothing changes by it: no flow, nothing that is held.
///
/// The value goes as it is, without a line end, to a pipe or to a file. With --back there may be more than
/// one; they stand on a line each, the likeliest first.
#[derive(Debug, Args)]
pub struct GetOptions {
    /// The key
    key: String,
    /// Every key that data may be under, in place of what the store answers
    #[arg(long)]
    back: bool,
    /// Which half of a pair
    #[arg(long, value_enum, default_value_t = Half::Forward, conflicts_with = "back")]
    half: Half,
    /// Only the candidate of this number, from 1
    #[arg(long, value_name = "N", requires = "back", value_parser = clap::value_parser!(u16).range(1..))]
    nth: Option<u16>,
    /// Write to a new file of mode 0600; one that is there is never overwritten
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Show the value on the terminal
    #[arg(long)]
    show: bool,
    #[command(flatten)]
    keeper: KeeperOptions,
    #[command(flatten)]
    pub printing: Printing,
}

/// A half of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Half {
    /// What encrypts
    Forward,
    /// What decrypts
    Back,
}

/// Looks, and writes what it saw.
pub async fn run(options: &GetOptions) -> Result<Ended, CommandError> {
    if let Some(out) = &options.out {
        refuse_what_is_there(out)?;
    } else if io::stdout().is_terminal() && !options.show {
        return Err(CommandError::Usage(
            "standard output is a terminal, where the value would be seen: give --out FILE, a pipe, or --show"
                .to_owned(),
        ));
    }
    let values = ask(options).await?;
    match &options.out {
        Some(out) => {
            write_new(out, &joined(&values)?)?;
            options.printing.object(&json!({
                "key": options.key, "out": out.to_string_lossy(), "count": values.len(),
            }))?;
        }
        None if options.printing.json => secret(&object(&options.key, &values))?,
        None if io::stdout().is_terminal() => show(&values)?,
        None => secret(&joined(&values)?)?,
    }
    Ok(Ended::Done)
}

async fn ask(options: &GetOptions) -> Result<Vec<SecretKeyValue>, CommandError> {
    let client = options.keeper.connect().await?;
    if !options.back {
        let pair = client.look(&options.key).await?.to_pair();
        return Ok(vec![match options.half {
            Half::Forward => pair.forward().clone(),
            Half::Back => pair.back().clone(),
        }]);
    }
    let mut values = client.back_path_candidates(&options.key).await?;
    if let Some(nth) = options.nth {
        let all = values.len();
        values = values
            .into_iter()
            .skip(usize::from(nth) - 1)
            .take(1)
            .collect();
        if values.is_empty() {
            let text = format!(
                "key {} has {all} candidates, and none of number {nth}",
                options.key
            );
            return Err(CommandError::Usage(text));
        }
    }
    Ok(values)
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

/// For programs: the values in base64, in a buffer that is wiped.
fn object(key: &str, values: &[SecretKeyValue]) -> SecretKeyValue {
    let head = format!("{{\"key\":{},\"values\":[", Value::from(key));
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

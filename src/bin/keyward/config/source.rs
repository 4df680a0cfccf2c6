//! Where a key comes from, as a configuration says it: `env`, `file`, `command`, and for the master key
//! `credential`.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use keyward::{CommandStore, EnvStore, FileStore, KeysStore};

use crate::config::fault::Findings;
use crate::config::kinds::{Halves, Kind, Value};
use crate::config::section::Section;

/// How long a command may take that prints the master key.
pub const MASTER_KEY_TIME_LIMIT: Duration = Duration::from_secs(10);

/// Where systemd tells a service where its credentials are.
pub const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// Where a key comes from. It holds no key, and none can be written into a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// One variable of the keeper's environment, or two.
    Env(Halves),
    /// One file, or two.
    File {
        paths: Halves,
        exact: bool,
        allow_shared_file: bool,
    },
    /// What a program prints.
    Command {
        words: ProgramWords,
        exact: bool,
        pass_env: Vec<String>,
    },
    /// A credential of systemd, by its name.
    Credential(String),
}

/// A program and its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgramWords {
    program: String,
    arguments: Vec<String>,
}

/// Which sources may be named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowed {
    OfKeys,
    OfTheMasterKey,
}

const KINDS: [&str; 4] = ["env", "file", "command", "credential"];

impl Source {
    /// Reads the table of a source. A key without one has this default.
    pub fn read(section: &Section<'_>, allowed: Allowed, default: Option<Self>) -> Option<Self> {
        let findings = section.findings();
        let env = section.optional::<Halves>("env");
        let file = section.optional::<Halves>("file");
        let command = section.optional::<ProgramWords>("command");
        let exact = section.read("exact", false);
        let allow_shared_file = section.read("allow_shared_file", false);
        let pass_env = section.read("pass_env", Vec::<String>::new());
        let credential = match allowed {
            Allowed::OfTheMasterKey => section.optional::<String>("credential"),
            Allowed::OfKeys => None,
        };
        let given: Vec<&str> = KINDS.into_iter().filter(|kind| section.has(kind)).collect();
        let fits = options_fit(section, &given);
        let source = env
            .map(|names| variables(section, names))
            .or(file.map(|paths| {
                Some(Self::File {
                    paths,
                    exact,
                    allow_shared_file,
                })
            }))
            .or(command.map(|words| {
                Some(Self::Command {
                    words,
                    exact,
                    pass_env,
                })
            }))
            .or(credential.map(|name| credential_named(section, name)))
            .flatten();
        match given.as_slice() {
            [_] => source.filter(|_| fits),
            [] if section.is_broken() => None,
            [] => {
                if default.is_none() {
                    let kinds = allowed.kinds();
                    let text = format!("a source is missing: give one of {kinds}");
                    findings.missing(section.at(), text);
                }
                default
            }
            [first, others @ ..] => {
                for other in others {
                    let text = format!("a key has one source; `{first}` is given as well");
                    findings.fault(&section.place_of(other), text);
                }
                None
            }
        }
    }

    /// The same with whole paths, that of the configuration's folder before those that are relative.
    pub fn below(self, folder: &Path) -> Self {
        let whole = |path: String| folder.join(path).to_string_lossy().into_owned();
        match self {
            Self::File {
                paths,
                exact,
                allow_shared_file,
            } => Self::File {
                paths: match paths {
                    Halves::One(path) => Halves::One(whole(path)),
                    Halves::Two(forward, back) => Halves::Two(whole(forward), whole(back)),
                },
                exact,
                allow_shared_file,
            },
            Self::Command {
                words,
                exact,
                pass_env,
            } => Self::Command {
                words: match words.program.contains('/') {
                    true => ProgramWords {
                        program: whole(words.program),
                        ..words
                    },
                    false => words,
                },
                exact,
                pass_env,
            },
            Self::Env(_) | Self::Credential(_) => self,
        }
    }

    /// Whether it answers a pair.
    pub fn is_pair(&self) -> bool {
        match self {
            Self::Env(halves) | Self::File { paths: halves, .. } => {
                matches!(halves, Halves::Two(..))
            }
            Self::Command { .. } | Self::Credential(_) => false,
        }
    }

    /// The files that it names.
    pub fn files(&self) -> Vec<&Path> {
        match self {
            Self::File {
                paths: Halves::One(path),
                ..
            } => vec![Path::new(path)],
            Self::File {
                paths: Halves::Two(forward, back),
                ..
            } => {
                vec![Path::new(forward), Path::new(back)]
            }
            Self::Env(_) | Self::Command { .. } | Self::Credential(_) => Vec::new(),
        }
    }

    /// The store that this is. A command of it may take that long.
    ///
    /// # Errors
    /// A credential is named, and systemd gave none to this process.
    pub fn store(&self, time_limit: Duration) -> Result<Arc<dyn KeysStore>, String> {
        Ok(match self {
            Self::Env(Halves::One(name)) => Arc::new(EnvStore::new(name)),
            Self::Env(Halves::Two(forward, back)) => Arc::new(EnvStore::pair(forward, back)),
            Self::File {
                paths,
                exact,
                allow_shared_file,
            } => {
                let store = match paths {
                    Halves::One(path) => FileStore::new(path),
                    Halves::Two(forward, back) => FileStore::pair(forward, back),
                };
                let store = if *exact { store.exact() } else { store };
                Arc::new(if *allow_shared_file {
                    store.allow_shared_file()
                } else {
                    store
                })
            }
            Self::Command {
                words,
                exact,
                pass_env,
            } => {
                let store = CommandStore::new(&words.program).args(&words.arguments);
                let store = store.time_limit(time_limit);
                let store = pass_env.iter().fold(store, CommandStore::pass_env);
                Arc::new(if *exact { store.exact() } else { store })
            }
            Self::Credential(name) => Arc::new(FileStore::new(credential_path(name)?)),
        })
    }
}

impl Allowed {
    fn kinds(self) -> &'static str {
        match self {
            Self::OfKeys => "env, file, command",
            Self::OfTheMasterKey => "env, file, command, credential",
        }
    }
}

impl Kind for ProgramWords {
    const NAME: &'static str = "array of text";

    fn read(value: &Value<'_>, findings: &Findings) -> Option<Self> {
        let what = "this must be an array: the program and its arguments, for no shell splits them";
        if value.get_ref().is_str() {
            findings.fault(&value.span(), what);
            return None;
        }
        let array = value.get_ref().as_array().filter(|array| !array.is_empty());
        let Some(array) = array else {
            findings.fault(&value.span(), what);
            return None;
        };
        let program = array
            .iter()
            .next()
            .and_then(|first| String::read(first, findings));
        let arguments: Vec<_> = array
            .iter()
            .skip(1)
            .map(|word| argument(word, findings))
            .collect();
        Some(Self {
            program: program?,
            arguments: arguments.into_iter().collect::<Option<_>>()?,
        })
    }

    fn shown(&self) -> String {
        let words = [std::slice::from_ref(&self.program), &self.arguments].concat();
        words.shown()
    }
}

/// An argument may be empty; nothing else about it may be wrong.
fn argument(word: &Value<'_>, findings: &Findings) -> Option<String> {
    match word.get_ref().as_str() {
        Some("") => Some(String::new()),
        _ => String::read(word, findings),
    }
}

/// Tells of options that the given source does not have.
fn options_fit(section: &Section<'_>, given: &[&str]) -> bool {
    let options = [
        ("exact", &["file", "command"][..]),
        ("allow_shared_file", &["file"]),
        ("pass_env", &["command"]),
    ];
    let mut fits = true;
    for (option, kinds) in options {
        if section.has(option) && !kinds.iter().any(|kind| given.contains(kind)) {
            let text = format!("`{option}` goes with {}", kinds.join(" and "));
            section.findings().fault(&section.place_of(option), text);
            fits = false;
        }
    }
    fits
}

fn variables(section: &Section<'_>, names: Halves) -> Option<Source> {
    let at = section.place_of("env");
    let good = match &names {
        Halves::One(name) => is_variable(name, &at, section.findings()),
        Halves::Two(forward, back) => {
            is_variable(forward, &at, section.findings())
                && is_variable(back, &at, section.findings())
        }
    };
    good.then_some(Source::Env(names))
}

fn is_variable(name: &str, at: &Range<usize>, findings: &Findings) -> bool {
    let good = !name.contains('=');
    if !good {
        findings.fault(
            at,
            "the name of a variable has no `=`; a value is never written here",
        );
    }
    good
}

fn credential_named(section: &Section<'_>, name: String) -> Option<Source> {
    let is_name = Path::new(&name)
        .file_name()
        .is_some_and(|file| file == name.as_str());
    if !is_name {
        let text =
            "this must be the name of a credential, as in LoadCredential=NAME:…, and no path";
        section
            .findings()
            .fault(&section.place_of("credential"), text);
    }
    is_name.then_some(Source::Credential(name))
}

fn credential_path(name: &str) -> Result<PathBuf, String> {
    let folder = std::env::var_os(CREDENTIALS).ok_or_else(|| {
        format!(
            "the master key is the credential `{name}`, and {CREDENTIALS} is not set: let systemd start \
             this with LoadCredential={name}:…, or name a file"
        )
    })?;
    Ok(Path::new(&folder).join(name))
}

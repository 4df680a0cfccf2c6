//! A terminal with a program in it: a pseudo terminal, and a screen that does what the program's bytes say.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How long something may take that takes a second or two.
const LIMIT: Duration = Duration::from_secs(60);

/// How many columns a terminal has.
const WIDTH: u16 = 110;

/// A program in a terminal of 24 lines and 110 columns.
pub struct Terminal {
    keyboard: File,
    output: Receiver<Vec<u8>>,
    program: Child,
    screen: Screen,
    /// Every screen that was seen, when it had changed.
    seen: Vec<String>,
}

impl Terminal {
    /// Starts a program in a new terminal.
    pub fn start(mut command: Command) -> Self {
        let (terminal, of_program) = open();
        let raw = of_program.as_raw_fd();
        let stream = || Stdio::from(of_program.try_clone().unwrap());
        command.stdin(stream()).stdout(stream()).stderr(stream());
        command.env("TERM", "xterm-256color");
        // SAFETY: both calls are among those that a child may make before it executes its program.
        unsafe {
            command.pre_exec(move || {
                let taken = libc::setsid() != -1 && libc::ioctl(raw, libc::TIOCSCTTY, 0) != -1;
                taken
                    .then_some(())
                    .ok_or_else(std::io::Error::last_os_error)
            });
        }
        let program = command.spawn().unwrap();
        drop(of_program);
        drop(command);
        let mut output = File::from(terminal);
        let keyboard = output.try_clone().unwrap();
        let (send, receive) = channel();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            // A terminal whose programs have ended fails.
            while let Ok(read @ 1..) = output.read(&mut buffer) {
                if send.send(buffer[..read].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self {
            keyboard,
            output: receive,
            program,
            screen: Screen::default(),
            seen: Vec::new(),
        }
    }

    /// Types.
    pub fn type_keys(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until the screen shows this, and answers the screen.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) -> String {
        let until = Instant::now() + LIMIT;
        while !self.screen.text().contains(text) {
            let left = until.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(bytes) => self.take(&bytes),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("{text:?} is not on the screen:\n{}", self.screen.text())
                }
            }
        }
        self.screen.text()
    }

    /// Waits until the program has ended; answers how, and the last screen.
    pub fn end(mut self) -> (ExitStatus, String, Vec<String>) {
        let until = Instant::now() + LIMIT;
        while let Ok(bytes) = self
            .output
            .recv_timeout(until.saturating_duration_since(Instant::now()))
        {
            self.take(&bytes);
        }
        let ended = self.program.wait().unwrap();
        (ended, self.screen.text(), self.seen)
    }

    /// Waits until the program has ended; answers its bytes as they came.
    pub fn raw(mut self) -> String {
        let mut bytes = Vec::new();
        while let Ok(more) = self.output.recv_timeout(LIMIT) {
            bytes.extend(more);
        }
        self.program.wait().unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn take(&mut self, bytes: &[u8]) {
        self.screen.take(bytes);
        let text = self.screen.text();
        if self.seen.last() != Some(&text) {
            self.seen.push(text);
        }
    }
}

fn open() -> (OwnedFd, OwnedFd) {
    let (mut terminal, mut of_program) = (-1, -1);
    let size = libc::winsize {
        ws_row: 24,
        ws_col: WIDTH,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: all pointers are valid or null, which means the defaults.
    let opened = unsafe {
        libc::openpty(
            &mut terminal,
            &mut of_program,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            &size,
        )
    };
    assert_eq!(opened, 0, "{}", std::io::Error::last_os_error());
    // SAFETY: both were just opened, and nothing else owns them.
    unsafe {
        (
            OwnedFd::from_raw_fd(terminal),
            OwnedFd::from_raw_fd(of_program),
        )
    }
}

/// The lines of a screen. It knows what progress bars use: line ends, returns, moves and clearing.
#[derive(Default)]
struct Screen {
    lines: Vec<Vec<char>>,
    row: usize,
    column: usize,
    /// A sequence that has begun and not ended.
    escape: Option<String>,
    /// Bytes of a character that is not whole.
    rest: Vec<u8>,
}

impl Screen {
    fn text(&self) -> String {
        let line = |line: &Vec<char>| line.iter().collect::<String>().trim_end().to_owned();
        self.lines.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    fn take(&mut self, bytes: &[u8]) {
        self.rest.extend_from_slice(bytes);
        let whole = match std::str::from_utf8(&self.rest) {
            Ok(text) => text.len(),
            Err(error) => error.valid_up_to(),
        };
        let rest = self.rest.split_off(whole);
        let text = String::from_utf8(std::mem::replace(&mut self.rest, rest)).unwrap();
        text.chars().for_each(|c| self.character(c));
    }

    fn character(&mut self, c: char) {
        if let Some(mut sequence) = self.escape.take() {
            sequence.push(c);
            match sequence.len() > 1 && ('\u{40}'..='\u{7e}').contains(&c) {
                true => self.obey(&sequence),
                false => self.escape = Some(sequence),
            }
            return;
        }
        match c {
            '\u{1b}' => self.escape = Some(String::new()),
            '\r' => self.column = 0,
            '\n' => self.row += 1,
            '\u{8}' => self.column = self.column.saturating_sub(1),
            c if c.is_control() => {}
            c => {
                // A full line goes on in the next one when there is more of it.
                if self.column == usize::from(WIDTH) {
                    (self.row, self.column) = (self.row + 1, 0);
                }
                let column = self.column;
                let line = self.line();
                if line.len() <= column {
                    line.resize(column + 1, ' ');
                }
                line[column] = c;
                self.column += 1;
            }
        }
    }

    fn line(&mut self) -> &mut Vec<char> {
        if self.lines.len() <= self.row {
            self.lines.resize(self.row + 1, Vec::new());
        }
        &mut self.lines[self.row]
    }

    fn obey(&mut self, sequence: &str) {
        let number = sequence
            .trim_start_matches('[')
            .trim_end_matches(|c: char| !c.is_ascii_digit());
        let number: usize = number.parse().unwrap_or(0);
        let times = number.max(1);
        match sequence.chars().last() {
            Some('A') => self.row = self.row.saturating_sub(times),
            Some('B') => self.row += times,
            Some('C') => self.column += times,
            Some('D') => self.column = self.column.saturating_sub(times),
            Some('G') => self.column = times - 1,
            Some('K') if number == 2 => self.line().clear(),
            Some('K') => {
                let column = self.column;
                self.line().truncate(column);
            }
            Some('J') => {
                let row = self.row;
                self.lines.truncate(row + 1);
            }
            _ => {}
        }
    }
}

#[test]
fn the_screen_does_what_the_bytes_say() {
    let mut screen = Screen::default();
    screen.take(b"one\r\ntwo\r\n\x1b[2A\x1b[2Kzwei\x1b[32m!\x1b[0m\r\n\xe9\x8d");
    screen.take(b"\xb5\x1b[K");
    assert_eq!(screen.text(), "zwei!\n鍵");
}

//! Rounds of SIGKILL at random moments: a program with 4 workers and 3 keys that rotate at once is
//! killed and lives again, on one folder, until one last life completes everything.

use std::env;
use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::crash::audit::{Audit, Counts, Reached};
use crate::crash::chance::Chance;
use crate::crash::documents::Document;
use crate::crash::program::{keys, plan, value};
use crate::crash::{LAST, Moment, VARIANT, live_until, read, story};

/// The built-in size and seed.
const ROUNDS: u64 = 200;
const SEED: u64 = 2026;
/// After so many rounds a program is completed, and another one begins.
const ROUNDS_OF_A_PROGRAM: u64 = 50;
/// How long a life is taken for at first.
const FIRST_GUESS: Duration = Duration::from_millis(400);

/// What the rounds counted themselves.
#[derive(Default)]
struct Figures {
    rounds: u64,
    programs: u64,
    kills: [u64; 4],
    by_themselves: u64,
    counts: Counts,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [start, load, rotations, shutdown] = self.kills;
        let Counts {
            begun,
            interrupted,
            failed,
            completed,
        } = self.counts;
        write!(
            f,
            "rounds: {}, programs: {}, kills: {} (at the start {start}, at the load {load}, in \
             rotations {rotations}, at the shutdown {shutdown}), lives that ended by themselves: \
             {}, callbacks begun: {begun}, interrupted: {interrupted}, failed: {failed}, \
             rotations completed: {completed}",
            self.rounds,
            self.programs,
            self.kills.iter().sum::<u64>(),
            self.by_themselves,
        )
    }
}

/// A program, its folder, and how long it lives if it is not killed.
struct Program {
    folder: tempfile::TempDir,
    variant: usize,
    audit: Audit,
    lives: usize,
}

impl Program {
    fn new(variant: usize) -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder"),
            variant,
            audit: Audit::new(keys(variant)),
            lives: 0,
        }
    }

    /// Lets it live, kills it at this moment, and checks what it leaves.
    fn life(&mut self, at: Option<Moment>) -> (bool, Reached) {
        let (variant, last) = (self.variant.to_string(), at.is_none().to_string());
        let told = [(VARIANT, variant.as_str()), (LAST, last.as_str())];
        let killed = live_until(self.folder.path(), "rounds", &told, at);
        let log = read(self.folder.path());
        self.lives += 1;
        let lives: Vec<&str> = log.split("life\n").collect();
        assert_eq!(lives.len(), self.lives + 1);
        let lines: Vec<&str> = lives[self.lives].lines().collect();
        let reached = self.audit.life(&lines, killed);
        assert!(killed || reached == Reached::Shutdown);
        self.check_documents();
        (killed, reached)
    }

    fn check_documents(&self) {
        if !self.audit.saved() {
            return;
        }
        for key in keys(self.variant) {
            for place in plan() {
                let (old, new) = self.audit.versions(key.name, &place);
                for document in Document::all_of(self.folder.path(), key.name, &place) {
                    let opens = |version| document.opens_under(&value(key.name, version));
                    assert!(opens(new) || opens(old), "{place} of {}", key.name);
                }
            }
        }
    }

    /// The end of the log: this life and the one before.
    fn story(folder: &Path) -> String {
        let story = story(folder);
        let lives: Vec<&str> = story.split("life\n").collect();
        lives[lives.len().saturating_sub(2)..].join("life\n")
    }
}

/// When a life is killed: at some moment of all of it, or within a few milliseconds, or less, of
/// the beginning of one of its parts.
fn moment(chance: &mut Chance, span: Duration) -> Moment {
    let parts = [
        None,
        None,
        None,
        Some("found all"),
        Some("ready"),
        Some("closing"),
    ];
    let after = parts[(chance.part() * 6.0) as usize];
    let part = chance.part();
    let delay = match after {
        None => span.mul_f64(part * 1.15),
        Some(_) => Duration::from_micros(10).mul_f64(3_000_f64.powf(part)),
    };
    Moment { after, delay }
}

/// The rounds of one program, after which it completes everything.
fn program(seed: u64, rounds: u64, span: &mut Duration, figures: &mut Figures) {
    let variant = usize::try_from(figures.programs).expect("small");
    let mut program = Program::new(variant);
    let path = program.folder.path().to_owned();
    for _ in 0..rounds {
        let mut chance = Chance::of(seed, figures.rounds);
        let at = moment(&mut chance, *span);
        let begun = Instant::now();
        let checked = std::panic::AssertUnwindSafe(|| program.life(Some(at)));
        let Ok((killed, reached)) = std::panic::catch_unwind(checked) else {
            panic!(
                "round {} of seed {seed}, killed at {at:?}: {}",
                figures.rounds,
                Program::story(&path)
            );
        };
        figures.rounds += 1;
        if !killed {
            figures.by_themselves += 1;
            *span = (*span + begun.elapsed()) / 2;
            continue;
        }
        figures.kills[reached as usize] += 1;
        if begun.elapsed() > *span && reached != Reached::Shutdown {
            *span = span.mul_f64(1.3);
        }
    }
    let last = std::panic::AssertUnwindSafe(|| {
        let (killed, _) = program.life(None);
        assert!(!killed);
        program.audit.finish();
    });
    let checked = std::panic::catch_unwind(last);
    assert!(checked.is_ok(), "seed {seed}: {}", Program::story(&path));
    figures.programs += 1;
    let (all, of_it) = (&mut figures.counts, program.audit.counts);
    all.begun += of_it.begun;
    all.interrupted += of_it.interrupted;
    all.failed += of_it.failed;
    all.completed += of_it.completed;
}

/// A number that may be given in the environment.
fn given(name: &str, otherwise: u64) -> u64 {
    let number = |text: String| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is no number"))
    };
    env::var(name).map_or(otherwise, number)
}

#[test]
fn programs_that_are_killed_at_random_moments_lose_nothing_and_repeat_nothing() {
    let (rounds, seed) = (given("KEYWARD_ROUNDS", ROUNDS), given("KEYWARD_SEED", SEED));
    println!("seed: {seed}");
    let mut figures = Figures::default();
    let mut span = FIRST_GUESS;
    while figures.rounds < rounds {
        let left = rounds - figures.rounds;
        program(seed, left.min(ROUNDS_OF_A_PROGRAM), &mut span, &mut figures);
    }
    println!("{figures}");
    if rounds >= ROUNDS {
        assert!(figures.kills.iter().all(|kills| *kills > 0), "{figures}");
        assert!(figures.counts.interrupted > 0, "{figures}");
    }
}

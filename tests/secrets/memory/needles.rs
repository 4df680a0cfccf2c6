//! What is looked for in memory: pieces of keys, known to the looking process only in disguise, so
//! that whatever it finds is not its own.

use data_encoding::{BASE64, BASE64URL, HEXLOWER, HEXUPPER};

/// The length of a piece. An allocator overwrites the beginning of a block that it takes back, by
/// up to 32 bytes, so a whole key would not be found there; its other pieces are.
pub const PIECE: usize = 16;

/// No more pieces than this are looked for of one key in one form.
const MOST_PIECES: usize = 64;

/// Each byte of a piece is kept exclusive-or this.
const MASK: u8 = 0xa5;

/// A piece.
pub struct Needle {
    /// The key, and the form that it is written in.
    row: usize,
    /// Which piece of that.
    no: usize,
    masked: [u8; PIECE],
}

/// A key in one form.
pub struct Row {
    /// Which key, and in which form.
    pub name: String,
    /// How many pieces it has.
    pub pieces: usize,
    /// How far the beginning of one is from the next one's.
    pub distance: usize,
}

/// All pieces that are looked for.
pub struct Needles {
    /// Each key in each form.
    pub rows: Vec<Row>,
    /// Sorted by their first two bytes.
    all: Vec<Needle>,
    /// For each two bytes, where the pieces that begin with them end in that list.
    ends: Vec<usize>,
}

/// The lines of a file of needles: each form of a key cut into pieces, in disguise.
pub fn lines(name: &str, key: &[u8]) -> String {
    let mut forms = vec![("raw".to_owned(), key.to_vec())];
    if key.len() <= MOST_PIECES * PIECE {
        forms.push(("hex".to_owned(), HEXLOWER.encode(key).into_bytes()));
        forms.push(("HEX".to_owned(), HEXUPPER.encode(key).into_bytes()));
        for skipped in 0..3 {
            let whole = &key[skipped..];
            let whole = &whole[..whole.len() / 3 * 3];
            for (form, encoding) in [("base64", BASE64), ("base64url", BASE64URL)] {
                let form = format!("{form}, from byte {skipped}");
                forms.push((form, encoding.encode(whole).into_bytes()));
            }
        }
    }
    let mut lines = String::new();
    for (form, bytes) in forms {
        let pieces = bytes.chunks_exact(PIECE);
        let step = pieces.len().div_ceil(MOST_PIECES).max(1);
        lines.push_str(&format!("{}", step * PIECE));
        for piece in pieces.step_by(step) {
            let masked: Vec<u8> = piece.iter().map(|byte| byte ^ MASK).collect();
            lines.push_str(&format!(" {}", HEXLOWER.encode(&masked)));
        }
        lines.push_str(&format!(" # {name} ({form})\n"));
    }
    lines
}

impl Needles {
    /// The needles of such a file.
    pub fn parse(text: &str) -> Self {
        let (mut rows, mut all) = (Vec::new(), Vec::new());
        for line in text.lines() {
            let (pieces, name) = line.split_once(" # ").expect("pieces and a name");
            let mut words = pieces.split(' ');
            let distance = words.next().and_then(|word| word.parse().ok());
            let before = all.len();
            all.extend(words.enumerate().map(|(no, word)| {
                Needle {
                    row: rows.len(),
                    no,
                    masked: HEXLOWER
                        .decode(word.as_bytes())
                        .expect("hex")
                        .try_into()
                        .expect("a whole piece"),
                }
            }));
            rows.push(Row {
                name: name.to_owned(),
                pieces: all.len() - before,
                distance: distance.expect("a distance"),
            });
        }
        all.sort_by_key(Needle::begins);
        let up_to = |two: usize| all.partition_point(|needle| needle.begins() <= two);
        let ends = (0..1 << 16).map(up_to).collect();
        Self { rows, all, ends }
    }

    /// How many pieces there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Tells of each piece between two addresses: which, and where it begins. It allocates nothing.
    ///
    /// # Safety
    /// The bytes there can be read; they may change meanwhile.
    pub unsafe fn find(
        &self,
        start: *const u8,
        length: usize,
        mut found: impl FnMut(&Needle, usize),
    ) {
        if length < PIECE {
            return;
        }
        // SAFETY: every read lies before `start + length`.
        let byte = |at: usize| unsafe { start.add(at).read_volatile() };
        let mut before = byte(0);
        let mut at = 0;
        while at + PIECE <= length {
            let next = byte(at + 1);
            let begins = two(before, next);
            let mut no = self.ends[begins];
            while no > 0 && self.all[no - 1].begins() == begins {
                no -= 1;
                let needle = &self.all[no];
                let same = |(no, masked): (usize, &u8)| byte(at + no) ^ MASK == *masked;
                if needle.masked.iter().enumerate().all(same) {
                    found(needle, at);
                }
            }
            before = next;
            at += 1;
        }
    }
}

impl Needle {
    /// Its first two bytes.
    fn begins(&self) -> usize {
        two(self.masked[0] ^ MASK, self.masked[1] ^ MASK)
    }
}

fn two(first: u8, second: u8) -> usize {
    usize::from(first) << 8 | usize::from(second)
}

/// How many rows there may be.
const MOST_ROWS: usize = 256;

/// Puts the pieces that were found together again. It allocates nothing.
pub struct Tracker {
    /// For each row: the piece that was found last, where, and how many in a row ended with it.
    last: [(usize, usize, usize); MOST_ROWS],
    longest: [usize; MOST_ROWS],
}

impl Tracker {
    /// Nothing was found so far.
    pub fn new() -> Self {
        Self {
            last: [(0, 0, 0); MOST_ROWS],
            longest: [0; MOST_ROWS],
        }
    }

    /// Takes a find in; they come in ascending order of their places.
    pub fn found(&mut self, needles: &Needles, needle: &Needle, at: usize) {
        let (no, place, run) = self.last[needle.row];
        let next =
            run > 0 && needle.no == no + 1 && at == place + needles.rows[needle.row].distance;
        let run = if next { run + 1 } else { 1 };
        self.last[needle.row] = (needle.no, at, run);
        self.longest[needle.row] = self.longest[needle.row].max(run);
    }

    /// The rows with at least half of them found in one piece: a copy. The beginning and the end of
    /// one may be overwritten.
    pub fn copies<'a>(&'a self, needles: &'a Needles) -> impl Iterator<Item = &'a str> {
        self.rows(needles, |longest, row| longest * 2 >= row.pieces)
    }

    /// The rows with less of them found. A hash works on blocks of 64 bytes on the stack, and what
    /// a move leaves there may be carried off to a heap by the move of a half-filled value.
    pub fn fragments<'a>(&'a self, needles: &'a Needles) -> impl Iterator<Item = &'a str> {
        self.rows(needles, |longest, row| longest * 2 < row.pieces)
    }

    fn rows<'a>(
        &'a self,
        needles: &'a Needles,
        wanted: impl Fn(usize, &Row) -> bool + 'a,
    ) -> impl Iterator<Item = &'a str> {
        let rows = needles.rows.iter().zip(self.longest);
        rows.filter(move |(row, longest)| *longest > 0 && wanted(*longest, row))
            .map(|(row, _)| row.name.as_str())
    }
}

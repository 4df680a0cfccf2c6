//! Reading the journal again after a reopening: no more than the coordinator needs, and the list of
//! what cannot be read is true.

use std::sync::atomic::{AtomicUsize, Ordering};

use keyward::crypto::crypto_tool::CryptoTool;
use keyward::crypto::error::CryptoError;
use keyward::key::state::Loaded;
use zeroize::Zeroizing;

use super::*;

/// A tool that counts what it opens.
struct Counting {
    tool: AeadCryptoTool,
    opened: Arc<AtomicUsize>,
}

impl CryptoTool for Counting {
    fn seal(&self, plain: &[u8], associated: &[u8]) -> Result<Vec<u8>, CryptoError> {
        self.tool.seal(plain, associated)
    }

    fn open(&self, sealed: &[u8], associated: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        self.opened.fetch_add(1, Ordering::SeqCst);
        self.tool.open(sealed, associated)
    }
}

#[test]
fn a_reopening_opens_no_record_of_a_state_again() {
    let repo = filled();
    let database = Database::open(Arc::new(repo.clone())).unwrap();
    let master = SecretKeyValue::from([1; 32]);
    let opened = Arc::new(AtomicUsize::new(0));
    let tool = Counting {
        tool: AeadCryptoTool::derive(&master, &database.id()).unwrap(),
        opened: Arc::clone(&opened),
    };
    let mut journal = database.unlock(Arc::new(tool)).unwrap();
    let few = 100;
    for number in 0..few {
        let name = format!("k{number}");
        journal.save_state(&key(&name), &put("half")).unwrap();
    }
    let opens = |journal: &Journal, load: fn(&Journal) -> bool| {
        let before = opened.load(Ordering::SeqCst);
        assert!(load(journal), "it loads");
        opened.load(Ordering::SeqCst) - before
    };
    let at_the_start = opens(&journal, |journal| journal.load().is_ok());
    assert!(at_the_start > few, "{at_the_start}");
    journal.reopen().unwrap();
    let again = opens(&journal, |journal| journal.load_again().is_ok());
    assert!(again < at_the_start - few, "{again} of {at_the_start}");
    // The same all the same.
    let (first, again) = (journal.load().unwrap(), journal.load_again().unwrap());
    assert_eq!(format!("{:?}", first.facts), format!("{:?}", again.facts));
    assert_eq!(first.secrets, again.secrets);
}

#[test]
fn the_list_of_what_cannot_be_read_is_true_as_the_journal_goes_on() {
    let repo = filled();
    let whole = content(&repo);
    for name in [b"a", b"b"] {
        overwrite(&repo, Space::States, name, b"\x01not a record");
    }
    let mut journal = open(&repo);
    journal.save_state(&key("c"), &put("half")).unwrap();
    let list = journal.unreadable().clone();
    assert!(list.all().is_empty(), "nothing was read yet");
    assert_eq!(journal.load().unwrap().unreadable.len(), 2);
    let listed = || {
        let all = list.all().into_iter();
        all.map(|record| record.place).collect::<Vec<_>>()
    };
    let both = listed();
    assert_eq!(both.len(), 2);
    assert!(both[0].contains('a') && both[1].contains('b'), "{both:?}");
    // Another takes its place.
    journal.save_state(&key("a"), &put("new")).unwrap();
    assert_eq!(listed(), both[1..]);
    // One is damaged meanwhile, and met by a load.
    overwrite(&repo, Space::States, b"c", b"\x01not a record");
    assert_eq!(listed().len(), 1);
    let loaded = journal.load_state(&key("c"));
    assert!(matches!(loaded, Loaded::Unreadable { .. }), "{loaded:?}");
    assert_eq!(listed().len(), 2);
    // What is found at a reopening is true: one is whole again, one is gone, one is damaged.
    overwrite(
        &repo,
        Space::States,
        b"b",
        &whole[&(Space::States, b"b".to_vec())],
    );
    repo.apply(&Batch::new().delete(Space::States, b"c"))
        .unwrap();
    let roster = in_space(&repo, Space::Roster).remove(0).0;
    overwrite(&repo, Space::Roster, &roster, b"");
    journal.reopen().unwrap();
    let again = journal.load_again().unwrap();
    assert_eq!(again.unreadable.len(), 1, "{:?}", again.unreadable);
    assert_eq!(again.unreadable[0].space, Space::Roster);
    assert_eq!(list.all(), again.unreadable);
    let journal = open(&repo);
    assert_eq!(journal.load().unwrap().unreadable, again.unreadable);
    journal.close().unwrap();
}

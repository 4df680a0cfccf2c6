//! Which users and groups have which rights, on which keys and workers. Pure but for
//! [`names`], which asks the system for users and groups once, when a grant is made.
//!
//! Never in here: connections, and what is done for whom.

use std::collections::BTreeSet;
use std::fmt;

pub mod error;
pub mod names;
pub mod pattern;
pub mod right;

use error::InvalidGrant;
use names::{group_id, user_id};
use pattern::Pattern;
use right::Right;

/// The user and the group that stand for all that a user namespace does not map. They match no grant.
const OVERFLOW: u32 = 65_534;

/// The user and groups of a caller, as the kernel tells them.
#[derive(Debug, Clone, Copy)]
pub struct Asker<'a> {
    /// The user.
    pub user: u32,
    /// The groups.
    pub groups: &'a [u32],
}

/// What some users and groups may do.
///
/// ```
/// use keyward::{Grant, Right};
/// # fn main() -> Result<(), keyward::InvalidGrant> {
/// let grant = Grant::of([Right::Forward, Right::Work])
///     .user("root")?
///     .key("documents")?
///     .worker("web-*")?;
/// # drop(grant);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a grant that is in no table gives nothing"]
pub struct Grant {
    rights: BTreeSet<Right>,
    users: BTreeSet<u32>,
    groups: BTreeSet<u32>,
    keys: Vec<Pattern>,
    workers: Vec<Pattern>,
}

impl Grant {
    /// These rights, for no user or group yet, and on no key.
    pub fn of(rights: impl IntoIterator<Item = Right>) -> Self {
        Self {
            rights: rights.into_iter().collect(),
            users: BTreeSet::new(),
            groups: BTreeSet::new(),
            keys: Vec::new(),
            workers: Vec::new(),
        }
    }

    /// To this user, by name or number.
    ///
    /// # Errors
    /// `unknown_user`, `users_unavailable`.
    pub fn user(mut self, user: &str) -> Result<Self, InvalidGrant> {
        self.users.insert(user_id(user)?);
        Ok(self)
    }

    /// To the users of this group, by name or number.
    ///
    /// # Errors
    /// `unknown_group`, `users_unavailable`.
    pub fn group(mut self, group: &str) -> Result<Self, InvalidGrant> {
        self.groups.insert(group_id(group)?);
        Ok(self)
    }

    /// On the keys of this name, in which each `*` stands for any text.
    ///
    /// # Errors
    /// `invalid_pattern`.
    pub fn key(mut self, pattern: &str) -> Result<Self, InvalidGrant> {
        self.keys.push(Pattern::new(pattern)?);
        Ok(self)
    }

    /// For the workers of this name, in which each `*` stands for any text.
    ///
    /// # Errors
    /// `invalid_pattern`.
    pub fn worker(mut self, pattern: &str) -> Result<Self, InvalidGrant> {
        self.workers.push(Pattern::new(pattern)?);
        Ok(self)
    }

    fn is_of(&self, asker: Asker<'_>) -> bool {
        asker.user != OVERFLOW
            && (self.users.contains(&asker.user)
                || asker
                    .groups
                    .iter()
                    .any(|group| *group != OVERFLOW && self.groups.contains(group)))
    }

    fn has_key(&self, key: &str) -> bool {
        self.keys.iter().any(|pattern| pattern.matches(key))
    }

    fn has_worker(&self, worker: &str) -> bool {
        self.workers.iter().any(|pattern| pattern.matches(worker))
    }

    /// Whether it gives anything to another user than this one, or to a group.
    fn names_others(&self, own: u32) -> bool {
        !self.groups.is_empty() || self.users.iter().any(|user| *user != own)
    }
}

/// The rights of users and groups over a socket.
#[derive(Clone, PartialEq, Eq)]
pub struct Grants {
    /// The user of the keeper.
    own: u32,
    /// None: the keeper's own user may everything, and all others nothing.
    table: Option<Vec<Grant>>,
}

impl Grants {
    /// Without a table: the keeper's own user may everything, all others nothing.
    pub fn own_user() -> Self {
        Self {
            own: rustix::process::geteuid().as_raw(),
            table: None,
        }
    }

    /// What these grants give, and nothing more: the keeper's own user and root are users like others.
    pub fn table(grants: impl IntoIterator<Item = Grant>) -> Self {
        Self {
            table: Some(grants.into_iter().collect()),
            ..Self::own_user()
        }
    }

    /// The mode of the socket's file: where others than the keeper's own user are given anything, all may
    /// connect, and what they may do is looked at for each request.
    pub(crate) fn mode(&self) -> u32 {
        let mut table = self.table.iter().flatten();
        let name_others = table.any(|grant| grant.names_others(self.own));
        if name_others { 0o666 } else { 0o600 }
    }

    /// Whether anything is given to this one.
    pub(crate) fn know(&self, asker: Asker<'_>) -> bool {
        self.any(asker, |_| true)
    }

    /// Whether this one has a right on a key.
    pub(crate) fn allow(&self, asker: Asker<'_>, right: Right, key: &str) -> bool {
        self.any(asker, |grant| {
            grant.rights.contains(&right) && grant.has_key(key)
        })
    }

    /// Whether this one has a right on every key, those of later too.
    pub(crate) fn allow_all(&self, asker: Asker<'_>, right: Right) -> bool {
        let has_all = |grant: &Grant| grant.keys.iter().any(Pattern::is_all);
        self.any(asker, |grant| {
            grant.rights.contains(&right) && has_all(grant)
        })
    }

    /// Whether this one has a right on any key.
    pub(crate) fn allow_any(&self, asker: Asker<'_>, right: Right) -> bool {
        self.any(asker, |grant| {
            grant.rights.contains(&right) && !grant.keys.is_empty()
        })
    }

    /// Whether this one may join under a worker's name.
    pub(crate) fn allow_join(&self, asker: Asker<'_>, worker: &str) -> bool {
        self.any(asker, |grant| {
            grant.rights.contains(&Right::Work) && grant.has_worker(worker)
        })
    }

    /// Whether this one may have a worker's callbacks of a key, and so the values of its rotations.
    pub(crate) fn allow_work(&self, asker: Asker<'_>, worker: &str, key: &str) -> bool {
        self.any(asker, |grant| {
            grant.rights.contains(&Right::Work) && grant.has_worker(worker) && grant.has_key(key)
        })
    }

    /// Whether any grant matches; without a table, whether it is the keeper's own user.
    fn any(&self, asker: Asker<'_>, gives: impl Fn(&Grant) -> bool) -> bool {
        match &self.table {
            None => asker.user == self.own && asker.user != OVERFLOW,
            Some(table) => table.iter().any(|grant| grant.is_of(asker) && gives(grant)),
        }
    }
}

impl Default for Grants {
    fn default() -> Self {
        Self::own_user()
    }
}

impl fmt::Debug for Grants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.table {
            None => write!(f, "Grants of user {}", self.own),
            Some(table) => f.debug_list().entries(table).finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use right::Right::{Back, Declare, Forward, Operate, Recover, Work};

    const ALL: [Right; 6] = [Forward, Back, Work, Declare, Operate, Recover];
    const WEB: Asker<'_> = Asker {
        user: 1_001,
        groups: &[1_001, 33],
    };
    const OPS: Asker<'_> = Asker {
        user: 1_002,
        groups: &[10],
    };

    fn own(groups: &[u32]) -> Asker<'_> {
        Asker {
            user: rustix::process::geteuid().as_raw(),
            groups,
        }
    }

    fn table() -> Grants {
        Grants::table([
            Grant::of([Forward, Work])
                .user("1001")
                .and_then(|grant| grant.key("documents"))
                .and_then(|grant| grant.key("web-*"))
                .and_then(|grant| grant.worker("web-*"))
                .unwrap(),
            Grant::of([Operate, Declare])
                .group("10")
                .and_then(|grant| grant.key("*"))
                .unwrap(),
        ])
    }

    #[test]
    fn without_a_table_only_the_keepers_own_user_is_let_in() {
        let grants = Grants::own_user();
        assert_eq!(grants.mode(), 0o600);
        for right in ALL {
            assert!(grants.allow(own(&[]), right, "documents"));
            assert!(grants.allow_all(own(&[]), right));
            for asker in [WEB, OPS] {
                assert!(!grants.allow(asker, right, "documents"));
                assert!(!grants.allow_any(asker, right) && !grants.know(asker));
            }
        }
        assert!(grants.allow_work(own(&[]), "anna", "documents"));
        assert!(!grants.allow_join(WEB, "anna"));
    }

    #[test]
    fn a_table_gives_what_it_names_and_nothing_more() {
        let grants = table();
        assert_eq!(grants.mode(), 0o666);
        assert!(grants.know(WEB) && grants.know(OPS));
        for (key, may) in [
            ("documents", true),
            ("web-1", true),
            ("web", false),
            ("other", false),
        ] {
            assert_eq!(grants.allow(WEB, Forward, key), may, "{key}");
            assert_eq!(grants.allow_work(WEB, "web-1", key), may, "{key}");
            assert!(!grants.allow(WEB, Back, key) && !grants.allow(WEB, Operate, key));
            assert!(grants.allow(OPS, Operate, key) && !grants.allow(OPS, Forward, key));
        }
        assert!(grants.allow_join(WEB, "web-1") && !grants.allow_join(WEB, "anna"));
        assert!(!grants.allow_work(WEB, "anna", "documents"));
        assert!(grants.allow_all(OPS, Operate) && !grants.allow_all(OPS, Recover));
        assert!(!grants.allow_all(WEB, Forward) && grants.allow_any(WEB, Forward));
    }

    #[test]
    fn root_and_the_keepers_own_user_are_users_like_others() {
        let grants = table();
        let root = Asker {
            user: 0,
            groups: &[0],
        };
        assert!(!grants.know(root) && !grants.know(own(&[0])));
        let of_none = Grants::table([]);
        assert!(!of_none.know(own(&[])));
        assert_eq!(of_none.mode(), 0o600);
    }

    #[test]
    fn the_overflow_user_and_group_match_no_grant() {
        let grant = Grant::of(ALL)
            .user("65534")
            .and_then(|grant| grant.group("65534"))
            .and_then(|grant| grant.group("10"))
            .and_then(|grant| grant.key("*"));
        let grants = Grants::table([grant.unwrap()]);
        for (user, groups, may) in [
            (65_534, [65_534], false),
            (65_534, [10], false),
            (1_001, [65_534], false),
            (1_001, [10], true),
        ] {
            let groups = &groups;
            assert_eq!(
                grants.know(Asker { user, groups }),
                may,
                "{user} {groups:?}"
            );
        }
    }

    #[test]
    fn a_right_on_every_key_is_that_of_the_star_alone() {
        let grant = Grant::of([Operate])
            .user("1001")
            .and_then(|grant| grant.key("a*"))
            .and_then(|grant| grant.key("*a"))
            .unwrap();
        assert!(!Grants::table([grant.clone()]).allow_all(WEB, Operate));
        let all = Grants::table([grant.key("**").unwrap()]);
        assert!(all.allow_all(WEB, Operate));
    }

    #[test]
    fn names_of_users_and_groups_are_those_of_the_system() {
        let grant = Grant::of([Forward])
            .user("root")
            .unwrap()
            .group("root")
            .unwrap();
        assert_eq!(
            grant,
            Grant::of([Forward]).user("0").unwrap().group("0").unwrap()
        );
        for (refused, code) in [
            (Grant::of([]).user("no such user"), "unknown_user"),
            (Grant::of([]).user(""), "unknown_user"),
            (Grant::of([]).user("4294967295"), "unknown_user"),
            (Grant::of([]).user("a\0b"), "unknown_user"),
            (Grant::of([]).group("no such group"), "unknown_group"),
            (Grant::of([]).key(""), "invalid_pattern"),
            (Grant::of([]).worker("a\nb"), "invalid_pattern"),
        ] {
            assert_eq!(refused.unwrap_err().code(), code);
        }
    }
}

//! How a key gets versions, and how it goes back while it has one.

use crate::key::definition::KeyBehaviour;
use crate::key::event::Ticket;
use crate::key::name::{KeyName, WorkerName};
use crate::key::versions::fact::VersionFact;
use crate::key::versions::table::{FirstVersion, VersionTable};
use crate::rotation::effect::{Fact, Reply, RotationEffect};
use crate::rotation::error::RotationError;
use crate::rotation::event::Moment;
use crate::rotation::machine::RotationMachine;

impl RotationMachine {
    /// Answers which of these keys have no versions yet, and may get some.
    pub(crate) fn look_for_versions(&mut self, ticket: Ticket, keys: Vec<KeyName>) {
        if !self.admits(ticket) {
            return;
        }
        let mut without = keys;
        without.retain(|key| !self.versions.contains_key(key));
        let refused = without.iter().find_map(|key| {
            let why = self.gets_no_versions(key)?;
            let key = key.clone();
            Some(RotationError::InvalidDefinition { key, why })
        });
        let keys = without;
        self.reply(
            ticket,
            match refused {
                Some(error) => Err(error),
                None => Ok(Reply::WithoutVersions { keys }),
            },
        );
    }

    /// A key gets versions. One that has some already keeps them.
    pub(crate) fn begin_versions(
        &mut self,
        ticket: Ticket,
        key: KeyName,
        first: FirstVersion,
        now: Moment,
    ) {
        if !self.admits(ticket) {
            return;
        }
        if self.versions.contains_key(&key) {
            return self.reply(ticket, Ok(Reply::Done));
        }
        if let Some(why) = self.gets_no_versions(&key) {
            let refused = RotationError::InvalidDefinition { key, why };
            return self.reply(ticket, Err(refused));
        }
        let FirstVersion {
            first,
            cause,
            earlier,
        } = first;
        let workers: Vec<WorkerName> = self.roster.in_order().map(|(of, _)| of.clone()).collect();
        let facts = VersionTable::begin((first, cause), earlier, &workers, now.wall_ms);
        if let Some(table) = VersionTable::of_facts(facts.clone()) {
            self.versions.insert(key.clone(), Ok(table));
        }
        let facts = facts.into_iter();
        self.facts
            .extend(facts.map(|fact| Fact::Version(key.clone(), fact)));
        self.effects.push(RotationEffect::TakeValues { ticket });
        self.reply(ticket, Ok(Reply::Done));
    }

    /// Why a key gets no versions now, if so.
    fn gets_no_versions(&self, key: &KeyName) -> Option<String> {
        if self.is_defined(key) {
            return Some("it is defined already in this manager; define it once".to_owned());
        }
        let mut of_key = self.rotations.of_key(key).into_iter();
        let unfinished = of_key.find(|id| {
            let live = self.rotations.get(*id);
            live.is_some_and(|live| live.header.state.is_unfinished())
        });
        let queue = self.rotations.queue(key);
        let unreadable = queue.and_then(|queue| queue.unreadable.keys().next().copied());
        let id = unfinished.or(unreadable)?;
        Some(format!(
            "rotation {id} of it is unfinished, and a key gets versions only between rotations; wait for its \
             end, or abort it"
        ))
    }

    /// Why a key cannot be defined with or without versions as it is meant to be, if so.
    pub(crate) fn misfit_of_versions(
        &self,
        key: &KeyName,
        behaviour: &KeyBehaviour,
    ) -> Option<String> {
        match (&behaviour.versions, self.versions.get(key)) {
            (Some(_), Some(_)) | (None, None) => None,
            (Some(_), None) => Some("its first version is not there; define it again".to_owned()),
            (None, Some(Err(why))) => Some(format!(
                "it has versions, which cannot be read ({why}); define it with versions"
            )),
            (None, Some(Ok(table))) => {
                let versions = table.newest_first().len();
                (versions > 1).then(|| {
                    format!(
                        "it has {versions} versions, and goes back to a key without them only while it has \
                         one; define it with versions"
                    )
                })
            }
        }
    }

    /// A key that had one version is defined without: it has none any more.
    pub(crate) fn end_versions(&mut self, key: &KeyName, behaviour: &KeyBehaviour) {
        if behaviour.versions.is_some() {
            return;
        }
        if let Some(table) = self.table(key) {
            let gone = VersionFact::Gone(table.current());
            self.change_versions(key, vec![gone, VersionFact::NoVersions]);
            self.versions.remove(key);
        }
    }
}

//! What an instance has to tell its keeper until it is answered, and what it was given: kept while the
//! connection is away, and told again after it.

use std::collections::BTreeMap;

use tokio::sync::oneshot;

use crate::key::keeper_error::KeeperError;
use crate::key::name::{CallbackName, KeyName};
use crate::rotation::outcome::StepRef;
use crate::wire::generated::answer::Answer;
use crate::wire::generated::to_keeper::Said;
use crate::wire::generated::{
    AskForSave, CallRef, CallbackKind, DeclareInCall, Dropped, Ended, Leave, Ready, Register,
    Returned, ToKeeper,
};
use crate::worker::callback::Callback;

/// A call, within an instance: which attempt of which step.
pub(super) type CallKey = (StepRef, u32);

/// Where the answer to a request goes.
pub(super) type ReplyTo = oneshot::Sender<Result<Answer, KeeperError>>;

/// Something that the keeper is asked, and answers.
#[derive(Debug, Clone)]
pub(super) enum Asking {
    /// To register a callback.
    Register(Register),
    /// To call from now on.
    Ready,
    /// To let the worker leave.
    Leave,
    /// What saving needs.
    Save(AskForSave),
    /// To declare a change.
    Declare(DeclareInCall),
}

impl Asking {
    /// The message, under this number.
    fn message(&self, request: u64, again: bool) -> ToKeeper {
        let said = match self.clone() {
            Self::Register(register) => Said::Register(Register {
                request,
                again,
                ..register
            }),
            Self::Ready => Said::Ready(Ready { request }),
            Self::Leave => Said::Leave(Leave { request }),
            Self::Save(ask) => Said::AskForSave(AskForSave { request, ..ask }),
            Self::Declare(declare) => Said::Declare(DeclareInCall { request, ..declare }),
        };
        told(said)
    }

    /// Whether it may be asked twice without being done twice.
    fn may_be_repeated(&self) -> bool {
        match self {
            Self::Declare(declare) => declare.change.as_ref().is_some_and(|c| !c.id.is_empty()),
            Self::Register(_) | Self::Ready | Self::Leave | Self::Save(_) => true,
        }
    }
}

/// A request without its answer.
struct UnansweredRequest {
    number: u64,
    asking: Asking,
    /// None where the instance asks for itself.
    reply: Option<ReplyTo>,
    was_sent: bool,
}

/// What is known of a call that was given.
#[derive(Debug)]
struct InstanceCall {
    /// Whether it runs, beyond its limit too.
    runs: bool,
    /// How it ended, until that is taken.
    ended: Option<Ended>,
    /// Whether it is to be told that it has returned.
    returned: bool,
    /// Whether the keeper does not know it any more.
    forgotten: bool,
}

/// What an instance has registered, was given, and has to tell.
#[derive(Default)]
pub(super) struct Duties {
    next: u64,
    requests: Vec<UnansweredRequest>,
    /// In the order of registration.
    callbacks: Vec<(KeyName, CallbackName, Callback)>,
    calls: BTreeMap<CallKey, InstanceCall>,
    is_ready: bool,
    is_dropped: bool,
}

/// What was answered to a request.
pub(super) struct AnsweredRequest {
    pub(super) asking: Asking,
    pub(super) reply: Option<ReplyTo>,
}

impl Duties {
    /// Keeps a request until it is answered.
    pub(super) fn ask(&mut self, asking: Asking, reply: Option<ReplyTo>) {
        self.next += 1;
        self.requests.push(UnansweredRequest {
            number: self.next,
            asking,
            reply,
            was_sent: false,
        });
    }

    /// Has a callback for the calls that may come before its registration is answered. False where one of
    /// this name is there already.
    pub(super) fn add(&mut self, key: KeyName, name: CallbackName, callback: Callback) -> bool {
        let is_new = self.callback(&key, &name).is_none();
        if is_new {
            self.callbacks.push((key, name, callback));
        }
        is_new
    }

    pub(super) fn remove(&mut self, key: &str, name: &str) {
        self.callbacks
            .retain(|(of, this, _)| (of.as_str(), this.as_str()) != (key, name));
    }

    pub(super) fn callback(&self, key: &KeyName, name: &CallbackName) -> Option<&Callback> {
        let mut all = self.callbacks.iter();
        let found = all.find(|(of, this, _)| (of, this) == (key, name));
        found.map(|(_, _, callback)| callback)
    }

    /// Keeps a call; false where it is kept already, and is not to be called again.
    pub(super) fn given(&mut self, call: CallKey) -> bool {
        if self.calls.contains_key(&call) {
            return false;
        }
        let given = InstanceCall {
            runs: true,
            ended: None,
            returned: false,
            forgotten: false,
        };
        self.calls.insert(call, given);
        true
    }

    /// Keeps how a call ended.
    pub(super) fn ended(&mut self, call: CallKey, ended: Option<Ended>, still_runs: bool) {
        if let Some(given) = self.calls.get_mut(&call) {
            given.runs = still_runs;
            given.ended = ended;
        }
        self.forget(call);
    }

    /// Keeps that a call has returned that had passed its limit.
    pub(super) fn returned(&mut self, call: CallKey) {
        if let Some(given) = self.calls.get_mut(&call) {
            given.runs = false;
            given.returned = true;
        }
        self.forget(call);
    }

    /// The keeper has taken what was told of a call, or does not know it.
    pub(super) fn taken(&mut self, call: CallKey, is_unknown: bool) {
        if let Some(given) = self.calls.get_mut(&call) {
            given.forgotten |= is_unknown;
            if given.ended.take().is_none() {
                given.returned = false;
            }
            if !given.runs && given.ended.is_none() && !given.returned {
                self.calls.remove(&call);
            }
        }
        self.forget(call);
    }

    fn forget(&mut self, call: CallKey) {
        let over = |given: &InstanceCall| given.forgotten && !given.runs;
        if self.calls.get(&call).is_some_and(over) {
            self.calls.remove(&call);
        }
    }

    /// The handle was dropped.
    pub(super) fn drop_handle(&mut self) {
        self.is_dropped = true;
    }

    pub(super) fn is_dropped(&self) -> bool {
        self.is_dropped
    }

    /// The calls that it was given and whose ends the keeper has not taken.
    pub(super) fn open_calls(&self) -> Vec<CallRef> {
        let known = self.calls.iter().filter(|(_, given)| !given.forgotten);
        known
            .map(|((step, attempt), _)| CallRef::new(*step, *attempt))
            .collect()
    }

    /// All that has to be told over a new connection.
    pub(super) fn all_to_tell(&mut self) -> Vec<ToKeeper> {
        self.requests.retain(|request| {
            // Its caller has gone.
            !request
                .reply
                .as_ref()
                .is_some_and(oneshot::Sender::is_closed)
        });
        let mut all = Vec::new();
        for (call, given) in &self.calls {
            all.extend(given.ended.clone().map(|ended| told(Said::Ended(ended))));
            all.extend(given.returned.then(|| has_returned(*call)));
        }
        self.requests
            .retain(|request| !request.was_sent || request.asking.may_be_repeated());
        for request in &mut self.requests {
            all.push(request.asking.message(request.number, request.was_sent));
            request.was_sent = true;
        }
        if self.is_dropped {
            all.push(told(Said::Dropped(Dropped {})));
        }
        all
    }

    /// The requests that have not been sent over this connection.
    pub(super) fn new_requests(&mut self) -> Vec<ToKeeper> {
        let unsent = self.requests.iter_mut().filter(|request| !request.was_sent);
        let send = |request: &mut UnansweredRequest| {
            request.was_sent = true;
            request.asking.message(request.number, false)
        };
        unsent.map(send).collect()
    }

    /// What a call has to tell now.
    pub(super) fn of_call(&self, call: CallKey) -> Option<ToKeeper> {
        let given = self.calls.get(&call)?;
        if given.returned {
            return Some(has_returned(call));
        }
        given.ended.clone().map(|ended| told(Said::Ended(ended)))
    }

    /// The request of this number is answered.
    pub(super) fn answered(&mut self, number: u64, refused: bool) -> Option<AnsweredRequest> {
        let at = self
            .requests
            .iter()
            .position(|request| request.number == number)?;
        let request = self.requests.remove(at);
        if matches!(request.asking, Asking::Ready) && !refused {
            self.is_ready = true;
        }
        Some(AnsweredRequest {
            asking: request.asking,
            reply: request.reply,
        })
    }

    /// The keeper does not know the instance any more: it joins anew, registers all again, and is ready if
    /// it was. Calls that run go on, and their ends are told to no keeper.
    pub(super) fn begin_anew(&mut self) {
        self.calls.retain(|_, given| given.runs);
        for given in self.calls.values_mut() {
            given.forgotten = true;
            given.ended = None;
        }
        let waiting = std::mem::take(&mut self.requests);
        let asked = |key: &KeyName, name: &CallbackName| {
            waiting.iter().any(|request| match &request.asking {
                Asking::Register(register) => {
                    (register.key.as_str(), register.callback.as_str())
                        == (key.as_str(), name.as_str())
                }
                _ => false,
            })
        };
        let again: Vec<Asking> = self
            .callbacks
            .iter()
            .filter(|(key, name, _)| !asked(key, name))
            .map(|(key, name, callback)| Asking::Register(registration(key, name, callback)))
            .collect();
        for asking in again {
            self.ask(asking, None);
        }
        if std::mem::take(&mut self.is_ready) {
            self.ask(Asking::Ready, None);
        }
        self.requests
            .extend(waiting.into_iter().map(|request| UnansweredRequest {
                was_sent: false,
                ..request
            }));
    }
}

/// How a callback is registered.
pub(super) fn registration(key: &KeyName, name: &CallbackName, callback: &Callback) -> Register {
    let kind = if callback.in_memory {
        CallbackKind::Memory
    } else {
        CallbackKind::Data
    };
    Register {
        request: 0,
        key: key.as_str().to_owned(),
        callback: name.as_str().to_owned(),
        kind: kind.into(),
        again: false,
    }
}

/// A message that says this.
pub(super) fn told(said: Said) -> ToKeeper {
    ToKeeper { said: Some(said) }
}

fn has_returned((step, attempt): CallKey) -> ToKeeper {
    let call = Some(CallRef::new(step, attempt));
    told(Said::Returned(Returned { call }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rotation::id::RotationId;
    use crate::worker::call::CallEnd;
    use crate::worker::callback::{IntoCallback, KeyChange};
    use uuid::Uuid;

    fn call(attempt: u32) -> CallKey {
        let rotation = RotationId::new(Uuid::nil());
        (StepRef { rotation, step: 0 }, attempt)
    }

    fn end(call: CallKey) -> Option<Ended> {
        let failed = CallEnd::failed("it failed");
        Ended::new(CallRef::new(call.0, call.1), &failed, false)
    }

    fn names(all: Vec<ToKeeper>) -> Vec<&'static str> {
        let name = |message: ToKeeper| match message.said {
            Some(Said::Register(of)) if of.again => "register again",
            Some(Said::Register(_)) => "register",
            Some(Said::Ready(_)) => "ready",
            Some(Said::Ended(_)) => "ended",
            Some(Said::Returned(_)) => "returned",
            Some(Said::Dropped(_)) => "dropped",
            _ => "other",
        };
        all.into_iter().map(name).collect()
    }

    fn registered() -> Duties {
        let mut duties = Duties::default();
        let (key, name) = (KeyName::new("k").unwrap(), CallbackName::new("c").unwrap());
        let callback = (|_: KeyChange| {}).into_callback();
        let register = registration(&key, &name, &callback);
        assert!(duties.add(key, name, callback));
        duties.ask(Asking::Register(register), None);
        duties
    }

    #[test]
    fn an_end_is_told_over_each_connection_until_it_is_taken() {
        let mut duties = Duties::default();
        assert!(duties.given(call(1)));
        assert!(!duties.given(call(1)), "it is not called again");
        assert_eq!(duties.open_calls().len(), 1);
        assert!(duties.all_to_tell().is_empty(), "it runs");
        duties.ended(call(1), end(call(1)), false);
        for _ in 0..3 {
            assert_eq!(names(duties.all_to_tell()), ["ended"]);
            assert_eq!(duties.open_calls().len(), 1);
        }
        duties.taken(call(1), false);
        assert!(duties.all_to_tell().is_empty() && duties.open_calls().is_empty());
        assert!(duties.given(call(2)));
    }

    #[test]
    fn a_call_that_passed_its_limit_is_kept_until_its_return_is_taken() {
        let mut duties = Duties::default();
        duties.given(call(1));
        duties.ended(call(1), end(call(1)), true);
        duties.taken(call(1), false);
        assert_eq!(duties.open_calls().len(), 1, "it still runs");
        assert!(duties.all_to_tell().is_empty());
        duties.returned(call(1));
        assert_eq!(names(duties.all_to_tell()), ["returned"]);
        duties.taken(call(1), false);
        assert!(duties.open_calls().is_empty());
    }

    #[test]
    fn an_end_and_a_return_that_are_both_open_are_both_told() {
        let mut duties = Duties::default();
        duties.given(call(1));
        duties.ended(call(1), end(call(1)), true);
        duties.returned(call(1));
        assert_eq!(names(duties.all_to_tell()), ["ended", "returned"]);
        duties.taken(call(1), false);
        assert_eq!(names(duties.all_to_tell()), ["returned"]);
        duties.taken(call(1), false);
        assert!(duties.open_calls().is_empty());
    }

    #[test]
    fn a_call_that_the_keeper_does_not_know_is_told_no_more() {
        let mut duties = Duties::default();
        duties.given(call(1));
        duties.ended(call(1), end(call(1)), true);
        duties.taken(call(1), true);
        duties.returned(call(1));
        assert!(duties.open_calls().is_empty() && duties.all_to_tell().is_empty());
    }

    #[test]
    fn a_request_is_asked_again_until_it_is_answered() {
        let mut duties = registered();
        assert_eq!(names(duties.new_requests()), ["register"]);
        assert_eq!(names(duties.all_to_tell()), ["register again"]);
        assert!(duties.answered(1, false).is_some());
        assert!(duties.all_to_tell().is_empty());
        assert!(duties.answered(1, false).is_none());
    }

    #[test]
    fn what_may_not_be_done_twice_is_not_asked_again() {
        let mut duties = Duties::default();
        let (reply, mut answer) = oneshot::channel();
        let declare = |id: &str| {
            Asking::Declare(DeclareInCall {
                request: 0,
                call: None,
                change: Some(crate::wire::generated::DeclareRequest {
                    id: id.to_owned(),
                    ..Default::default()
                }),
            })
        };
        duties.ask(declare(""), Some(reply));
        duties.ask(declare("018f3a5e-1111-7222-8333-123456789abc"), None);
        assert_eq!(duties.new_requests().len(), 2);
        assert_eq!(duties.all_to_tell().len(), 1);
        assert!(answer.try_recv().is_err(), "whoever asked is told");
    }

    #[test]
    fn an_instance_that_begins_anew_registers_all_again_and_is_ready_if_it_was() {
        let mut duties = registered();
        duties.new_requests();
        duties.answered(1, false);
        duties.ask(Asking::Ready, None);
        duties.new_requests();
        duties.answered(2, false);
        duties.given(call(1));
        duties.given(call(2));
        duties.ended(call(2), end(call(2)), false);
        duties.begin_anew();
        assert!(
            duties.open_calls().is_empty(),
            "they are those of another instance"
        );
        assert_eq!(names(duties.all_to_tell()), ["register", "ready"]);
        duties.ended(call(1), end(call(1)), false);
        assert_eq!(names(duties.all_to_tell()), ["register again", "ready"]);
    }
}

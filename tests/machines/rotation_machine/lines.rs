//! Effects as lines of text: one line an effect, with everything that it says.

use keyward::key::state::Effect;
use keyward::key::versions::fact::VersionFact;
use keyward::key::versions::id::VersionId;
use keyward::rotation::act::About;
use keyward::rotation::effect::{Fact, Reply, RotationEffect};
use keyward::rotation::error::RotationError;
use keyward::rotation::event::StepRef;
use keyward::rotation::id::RotationId;
use keyward::rotation::instance::Instance;
use keyward::rotation::plan::{Header, Step};
use keyward::rotation::report::RotationReport;

/// `r1` for the id 1.
pub fn id(id: RotationId) -> String {
    format!("r{}", id.as_uuid().as_u128())
}

fn step_ref(step: StepRef) -> String {
    format!("{}/{}", id(step.rotation), step.step)
}

/// `v1` for the version with the id 1.
fn version(id: VersionId) -> String {
    format!("v{}", id.as_uuid().as_u128())
}

fn version_fact(fact: &VersionFact) -> String {
    match fact {
        VersionFact::Current { current, .. } => format!("current {}", version(*current)),
        VersionFact::Version(of) => format!("{} {}", version(of.id), of.state),
        VersionFact::Value(id) => format!("value {}", version(*id)),
        VersionFact::Gone(id) => format!("gone {}", version(*id)),
        VersionFact::Debt {
            version: of,
            worker,
            ..
        } => format!("{} owes {worker}", version(*of)),
        VersionFact::DebtGone {
            version: of,
            worker,
        } => format!("{} owes {worker} no more", version(*of)),
        VersionFact::NoStateRecord => "no state record".to_owned(),
        VersionFact::NoVersions => "no versions".to_owned(),
    }
}

/// A line for each effect.
pub fn lines(effects: &[RotationEffect]) -> Vec<String> {
    let this = effects.iter().find_map(|effect| match effect {
        RotationEffect::Write { no, .. } => Some(*no),
        _ => None,
    });
    effects.iter().map(|effect| line(effect, this)).collect()
}

fn line(effect: &RotationEffect, this: Option<u64>) -> String {
    let text = match effect {
        RotationEffect::Write { facts, .. } => {
            let facts: Vec<String> = facts.iter().map(fact).collect();
            format!("write {}", facts.join(" | "))
        }
        RotationEffect::Defined { ticket, key } => format!("defined {ticket} {key}"),
        RotationEffect::Joined {
            worker,
            incarnation,
            ..
        } => format!("joined {worker}#{incarnation}"),
        RotationEffect::Registered {
            ticket,
            worker,
            key,
            callback,
        } => format!("registered {ticket} {key} {worker}.{callback}"),
        RotationEffect::Connected {
            ticket,
            worker,
            number,
            ..
        } => format!("connected {ticket} {worker}#{number}"),
        RotationEffect::Gone { worker, number, .. } => format!("gone {worker}#{number}"),
        RotationEffect::Give {
            step,
            attempt,
            worker,
            number,
            callback,
            ..
        } => {
            let step = step_ref(*step);
            format!("give {step} attempt {attempt} to {worker}#{number}.{callback}")
        }
        RotationEffect::Heard {
            worker,
            number,
            step,
            attempt,
            ..
        } => format!(
            "heard {} attempt {attempt} of {worker}#{number}",
            step_ref(*step)
        ),
        RotationEffect::CatchUp {
            step,
            worker,
            life,
            callback,
            ..
        } => format!(
            "catch {worker}#{life}.{callback} up with {}",
            step_ref(*step)
        ),
        RotationEffect::LeftOut {
            worker,
            callback,
            ends,
            ..
        } => format!("left out {worker}.{callback} after {ends}"),
        RotationEffect::Left { worker, .. } => format!("left {worker}"),
        RotationEffect::Removed {
            worker,
            key,
            callback,
            ..
        } => format!("removed {key} {worker}.{callback}"),
        RotationEffect::Accepted {
            ticket,
            id: of,
            key,
        } => {
            format!("accepted {ticket} {} {key}", id(*of))
        }
        RotationEffect::Reply {
            ticket, reply: r, ..
        } => format!("reply {ticket} {}", reply(r)),
        RotationEffect::Search {
            ticket,
            declaration,
            ..
        } => {
            format!("search {ticket} {}", id(declaration.id))
        }
        RotationEffect::FindOld {
            ticket,
            declaration,
            of,
            ..
        } => {
            let of = of.map_or("held".to_owned(), id);
            format!("find {ticket} {} {of}", id(declaration.id))
        }
        RotationEffect::Snapshot { rotation, key } => format!("snapshot {} {key}", id(*rotation)),
        RotationEffect::Prepare {
            step,
            worker,
            incarnation,
            callback,
            ahead,
            ..
        } => {
            let ahead = if *ahead { " ahead" } else { "" };
            format!(
                "prepare {} {worker}#{incarnation}.{callback}{ahead}",
                step_ref(*step)
            )
        }
        RotationEffect::Release { step } => format!("release {}", step_ref(*step)),
        RotationEffect::Withdraw { step } => format!("withdraw {}", step_ref(*step)),
        RotationEffect::Call { step, attempt, .. } => {
            format!("call {} attempt {attempt}", step_ref(*step))
        }
        RotationEffect::Propose {
            step,
            overtaken,
            resumed,
            ..
        } => {
            let overtaken = if *overtaken { " overtaken" } else { "" };
            let resumed = if *resumed { " resumed" } else { "" };
            format!("propose {}{overtaken}{resumed}", step_ref(*step))
        }
        RotationEffect::Adopt { step, .. } => format!("adopt {}", step_ref(*step)),
        RotationEffect::TakeValues { ticket } => format!("take values {ticket}"),
        RotationEffect::VersionsChanged { key, facts, .. } => {
            let facts: Vec<String> = facts.iter().map(version_fact).collect();
            format!("tell {key} {}", facts.join(", "))
        }
        RotationEffect::Versions { key, .. } => format!("tell {key} all versions"),
        RotationEffect::AskLastWritten {
            rotation, asked, ..
        } => format!("ask {} last written {asked}", id(*rotation)),
        RotationEffect::Supersede {
            rotation, only_old, ..
        } => {
            let which = if *only_old { " old" } else { " any" };
            format!("supersede {}{which}", id(*rotation))
        }
        RotationEffect::Stopped { rotation, .. } => format!("stopped {}", id(*rotation)),
        RotationEffect::Waits {
            rotation,
            waits_for,
            ..
        } => format!("waits {} {waits_for:?}", id(*rotation)),
        RotationEffect::Settled { report, .. } => {
            format!("settled {} {}", id(report.id), report.state)
        }
    };
    match effect.after() {
        None | Some(0) => text,
        after if after == this => format!("{text}, when written"),
        Some(_) => format!("{text}, when all is written"),
    }
}

fn fact(fact: &Fact) -> String {
    match fact {
        Fact::NextSequence(next) => format!("next {next}"),
        Fact::Member(member) => format!("member {} #{}", member.worker, member.joined),
        Fact::MemberGone(worker) => format!("gone {worker}"),
        Fact::Callback(c) => format!("callback {}.{} #{}", c.worker, c.callback, c.registered),
        Fact::CallbackGone {
            worker, callback, ..
        } => format!("gone {worker}.{callback}"),
        Fact::Instance(one) => instance(one),
        Fact::InstanceGone { worker, number } => format!("gone {worker}#{number}"),
        Fact::Rotation(h) => header(h),
        Fact::Keys(rotation) => format!("keys {}", id(*rotation)),
        Fact::Snapshot(rotation) => format!("snapshot {}", id(*rotation)),
        Fact::Step(rotation, _, s) => format!("{}/{}", id(*rotation), step(s)),
        Fact::Record(step) => format!("record {}", step_ref(*step)),
        Fact::Ended(h, steps) => {
            let steps: Vec<String> = steps.iter().map(step).collect();
            format!("ended {} [{}]", header(h), steps.join(", "))
        }
        Fact::Dismissed(rotation) => format!("dismissed {}", id(*rotation)),
        Fact::Act(act) => {
            let about = act.about.as_ref().map(About::to_string);
            format!("act: {} {}", act.deed, about.unwrap_or_default())
        }
        Fact::Version(_, fact) => version_fact(fact),
    }
}

/// An instance in a few words.
pub fn instance(one: &Instance) -> String {
    let mut text = format!("instance {}#{}", one.worker, one.number);
    if one.ready {
        text += " ready";
    }
    if one.dropped {
        text += " dropped";
    }
    for (_, callback) in &one.registered {
        text += &format!(" .{callback}");
    }
    for (at, call) in &one.calls {
        let done = if call.done { " done" } else { "" };
        text += &format!(" {}@{}{done}", step_ref(*at), call.attempt);
    }
    text
}

/// A rotation's header in a few words.
pub fn header(h: &Header) -> String {
    let mut text = format!("{} {} #{}", id(h.id), h.state, h.seq);
    if h.place != h.seq {
        text += &format!(" place {}", h.place);
    }
    if h.begun {
        text += " begun";
    }
    if h.resumes > 0 {
        text += &format!(" resumes {}", h.resumes);
    }
    if h.overtaken {
        text += " overtaken";
    }
    text
}

/// A step in a few words.
pub fn step(s: &Step) -> String {
    let mut text = format!("{} {}.{} {}", s.no, s.worker, s.callback, s.status);
    if s.attempt > 0 {
        text += &format!(" attempt {}", s.attempt);
    }
    if s.crashes > 0 {
        text += &format!(" crashes {}", s.crashes);
    }
    match s.effect {
        Effect::Reencrypted => text += " reencrypted",
        Effect::Decrypted => text += " decrypted",
        _ => {}
    }
    if s.removed {
        text += " removed";
    }
    if let Some(error) = &s.error {
        let first = error.split(':').next().unwrap_or_default();
        text += &format!(" ({first})");
    }
    text
}

/// A report in a few words.
pub fn report(report: &RotationReport) -> String {
    let steps: Vec<String> = report.steps.iter().map(step).collect();
    format!("{} {} [{}]", id(report.id), report.state, steps.join(", "))
}

fn reply(reply: &Result<Reply, RotationError>) -> String {
    match reply {
        Ok(Reply::AskStores { old }) => format!("ask stores, old {old}"),
        Ok(Reply::Done) => "done".to_owned(),
        Ok(Reply::WithoutVersions { keys }) => format!("{} without versions", keys.len()),
        Ok(Reply::CaughtUp { failed, steps }) => {
            format!("caught up {steps}, {} failed", failed.len())
        }
        Ok(Reply::Joined { incarnation, .. }) => format!("joined {incarnation}"),
        Ok(Reply::Accepted { id: accepted }) => format!("accepted {}", id(*accepted)),
        Ok(Reply::Report(report)) => format!("report {} {}", id(report.id), report.state),
        Ok(Reply::NotLive { id: unknown }) => format!("not live {}", id(*unknown)),
        Err(error) => format!("error {}", error.code()),
    }
}

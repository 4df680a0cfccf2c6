//! Whether a machine lists what is durable, to the last step.

use keyward::rotation::plan::Step;
use keyward::rotation::report::RotationReport;
use keyward::rotation::status::StatusEvent;

use crate::durable::Journal;

/// Whether these are the rotations of the journal. A step that was found InProgress at the start of
/// the process was interrupted by a crash: that is counted, and written with its next call.
pub fn is_listed(journal: &Journal, listed: &[RotationReport]) -> bool {
    let durable = |report: &RotationReport| {
        let Some((header, steps)) = journal.rotations.get(&report.id) else {
            return false;
        };
        let same =
            |(found, listed): (&Step, &Step)| found == listed || after_crash(found) == *listed;
        report.state == header.state
            && report.steps.len() == steps.len()
            && steps.values().zip(&report.steps).all(same)
    };
    listed.len() == journal.rotations.len() && listed.iter().all(durable)
}

fn after_crash(found: &Step) -> Step {
    let interrupted = StatusEvent::Interrupt.apply_to(found.status);
    let mut step = found.clone();
    step.status = interrupted.unwrap_or(found.status);
    step.crashes += u32::from(interrupted.is_some());
    step
}

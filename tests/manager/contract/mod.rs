//! The promises of `src/promises.md`, one by one, through the public calls. What the vectors, the
//! crash tests and the tests of single rooms show is not shown again here.

mod section_1_terms;
mod section_2_candidates;
mod section_2_key_state;
mod section_3_callbacks;
mod section_3_effects;
mod section_3_history;
mod section_3_old_keys;
mod section_3_operator;
mod section_3_rotation;
mod section_3_workers;
mod section_4_after_a_crash;
mod section_5_supervision;
mod section_7_errors;

//! Programs that know nothing of keyward, under real keepers: `keyward worker` and `keyward run` as processes.

mod examples;
mod keeper;
mod memory;
mod readme;
mod run;
mod worker;

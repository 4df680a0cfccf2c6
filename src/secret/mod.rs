//! Secret material: values and pairs that are zeroized when the last owner lets go of them, that
//! show themselves only through one named method, and the scrubbing of texts that may quote them.
//!
//! Never in here: anything of the rest of the crate. Every other room may import this one.

pub mod scrub;
pub mod text;
pub mod value;
pub mod visible;

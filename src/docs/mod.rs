//! Pages for those who use keyward, in the order in which they are needed. The README of the
//! repository is the way in.
//!
//! Never in here: code.

#[doc = include_str!("using.md")]
pub mod using {}
#[doc = include_str!("versions.md")]
pub mod versions {}
#[doc = include_str!("promised.md")]
pub mod promised {}
#[doc = include_str!("configuration.md")]
pub mod configuration {}
#[doc = include_str!("operator.md")]
pub mod operator {}
#[doc = include_str!("command_line.md")]
#[doc = "```json"]
#[doc = include_str!("command_line.schema.json")]
#[doc = "```"]
pub mod command_line {}
#[doc = include_str!("programs.md")]
pub mod programs {}
#[doc = include_str!("protocol.md")]
pub mod protocol {}
#[doc = include_str!("errors.md")]
pub mod errors {}
#[doc = include_str!("costs.md")]
pub mod costs {}
#[doc = include_str!("from_keys_management.md")]
pub mod from_keys_management {}
#[doc = include_str!("architecture.md")]
pub mod architecture {}

//! The report for who decides about the change: what happens today, what would change, how sure
//! that is, what it costs and how to check it cheaply. One page that needs nothing else.

mod advice;
mod calls;
mod figures;
mod process;
mod sections;

pub(crate) use calls::of_calls;
pub(crate) use process::of_process;

//! What the system refuses (threads, descriptors, the size of a file) and the program's end, whenever
//! it comes: an error or a clean end, never the end of the process, and nothing is left behind.

mod alive;
mod child;
mod ends;
mod file_size;
mod rlimit;
mod walks;

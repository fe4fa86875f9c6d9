//! What holds of the binary, of its library and of this repository as a whole; one binary, because each costs a link.

mod cli;
mod conduct;
mod faults;
mod load;
mod reach;
mod robust;
mod serve;
mod strength;
mod support;
mod tidy;
mod wire;

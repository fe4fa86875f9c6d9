//! What holds of the binary, of its library and of this repository as a whole; one binary, because each costs a link.

mod blame;
mod cli;
mod compare;
mod conduct;
mod doctor;
mod faults;
mod foreign;
mod fuzz;
mod gate;
mod hostile;
mod interrupts;
mod limits;
mod load;
mod mutants;
mod page;
mod race;
mod reach;
mod robust;
mod serve;
mod streams;
mod strength;
mod support;
mod terminal;
mod tidy;
mod way;
mod wire;

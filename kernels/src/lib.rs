//! Inner loops that need a particular instruction set. The engine chooses among them at run time; nothing here
//! knows of models, files or threads.

pub mod cpu;

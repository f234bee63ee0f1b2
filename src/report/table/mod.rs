//! Tables as answers hold them, and the forms in which they are shown: on a terminal of any width, as Markdown, as
//! JSON, as CSV. One structure of columns and cells, a writer for each form.

pub mod answer;
pub mod entry;
mod fit;
mod fold;
mod machine;
mod paint;
pub mod rows;

pub use answer::{Answer, Form, Shape, UnknownColumn};
pub use entry::Entry;
pub use rows::{Table, table};

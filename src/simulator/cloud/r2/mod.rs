//! R2: a bucket that keeps the data itself, and one as an archive.

mod archive;
mod store;

pub use archive::R2Bucket;
pub use store::{ObjectHandle, ObjectStore};

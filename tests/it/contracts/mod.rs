//! One story per seam, told by every back end.

mod bus;
mod db;
mod hot;
mod limits;

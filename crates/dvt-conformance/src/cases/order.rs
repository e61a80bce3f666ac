//! Cases about order.

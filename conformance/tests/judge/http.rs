//! Recording over HTTP from a server that publishes the example, one step for each reload.

//! The only user of aws-sdk-*: adapters for the ports of the domain.

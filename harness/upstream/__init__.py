"""The upstream witness: stands where the vendors stand, answers with recordings, keeps what the gateway sent."""

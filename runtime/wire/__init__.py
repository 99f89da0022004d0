"""What nodes say to each other on a connection: frames, handshake, typed messages."""

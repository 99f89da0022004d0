"""The wrong twins of the specs: refuted, run on their own code, and met by the simulator."""

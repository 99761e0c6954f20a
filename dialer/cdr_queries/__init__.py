"""What clients of the read APIs ask for, each in its own words, as a `CdrQuery`. Pure: a module for
each API, the counterparts of `dialer.dialects`, which write what is answered."""

"""A client of the public interface: what `fenta video` and `fenta demo` do, anyone may do over HTTP."""

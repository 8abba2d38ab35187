"""A package, so that its fixtures of scope `package` end with it: the played stack, and the browser, whose event loop nobody else could run beside."""

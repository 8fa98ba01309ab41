"""One trace of a request through all that it leads to: W3C Trace Context, spans, and their tree."""

"""Next versions of a system that have a mistake of their author's: who starts one is told so."""

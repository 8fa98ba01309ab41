"""The hotel as a simulation plays it: few rooms, few nights, every card."""

"""Who restarts whom, how often and when: OTP's rules."""

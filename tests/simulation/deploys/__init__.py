"""Tests of actors/simulation/deploys/."""

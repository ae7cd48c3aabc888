"""What the proof of the deployment does, step by step; proof.py has their order."""

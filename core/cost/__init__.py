"""What a run costs and how long it takes: prices × attempts, and a fitted model of time. Pure: knows no cloud."""

"""What a call costs, read from the account before and after."""

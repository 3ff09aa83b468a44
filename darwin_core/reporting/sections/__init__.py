"""What each part of the page says: pure functions from the report model to frozen view models, without any markup."""

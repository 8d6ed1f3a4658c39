"""Quality on a large catalogue: run by tools/test_catalogue.sh."""

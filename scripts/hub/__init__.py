"""What downloads from and uploads to the Hugging Face Hub share."""

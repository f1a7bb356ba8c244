"""What the downloads and the upload share about the Hugging Face Hub."""

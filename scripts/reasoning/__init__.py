"""Problems, prompts, answers, rewards, scores and statistics; nothing here imports torch."""

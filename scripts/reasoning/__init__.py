"""Problems, prompts, answers, rewards, scores and what follows from them; nothing here imports torch."""

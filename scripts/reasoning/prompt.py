"""From a question to the chat that the model reads: config section `prompt`, the same in training and evaluation."""


def messages(question, prompt):
    """The chat for one question: system turn, worked examples as earlier turns, then the question."""
    chat = [{"role": "system", "content": prompt["system"]}] if prompt["system"] else []
    for example in prompt["examples"]:
        chat.append({"role": "user", "content": example["question"]})
        chat.append({"role": "assistant", "content": example["completion"]})
    return [*chat, {"role": "user", "content": question}]

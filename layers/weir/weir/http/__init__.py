"""What the HTTP functions share: bodies as bytes, answers, and problem documents."""

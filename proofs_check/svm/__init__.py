"""The NTP-SVM and its dual."""

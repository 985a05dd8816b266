"""The descent: ``fit``, its plan, and the engines that walk it."""

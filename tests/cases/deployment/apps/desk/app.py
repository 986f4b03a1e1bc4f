print("a desk")

OPTIMIZE shop.gold.days
